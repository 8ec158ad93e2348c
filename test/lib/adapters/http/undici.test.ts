import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { buildConnector, Client, errors, symbols } from '../../../../lib/adapters/http/undici.ts'

const root = join(import.meta.dirname, '..', '..', '..', '..')
/** undici does not guarantee these files. After an update of undici this list says what to check. */
const internalFiles = [
  'undici/lib/core/connect.js',
  'undici/lib/core/errors.js',
  'undici/lib/core/symbols.js',
  'undici/lib/dispatcher/client.js',
  'undici/lib/dispatcher/client-h1.js',
]

function importsOfUndici(path: string): string[] {
  const text = readFileSync(join(root, path), 'utf8')
  return [...text.matchAll(/(?:\bfrom|\bimport|\brequire\(|\bimport\()\s*['"](undici(?:\/[^'"]*)?)['"]/g)].map(
    ([, specifier = '']) => specifier,
  )
}

test('the internal files of undici exist and export what Tokenwell uses', () => {
  assert.deepEqual(importsOfUndici('lib/adapters/http/undici.ts'), ['undici', ...internalFiles])
  for (const file of internalFiles) assert.ok(existsSync(join(root, 'node_modules', file)), file)
  assert.equal(typeof buildConnector({}), 'function')
  assert.equal(new errors.ConnectTimeoutError().code, 'UND_ERR_CONNECT_TIMEOUT')
  assert.equal(typeof symbols.kParser, 'symbol')
  assert.equal(typeof Reflect.get(Client.prototype, symbols.kConnect), 'function')
  assert.equal(typeof Client.prototype.dispatch, 'function')
})

test('only one file imports undici, and it imports only types from the index', () => {
  const sources = globSync('{functions,lib}/**/*.ts', { cwd: root }).filter((path) => !path.endsWith('.d.ts'))
  assert.deepEqual(
    sources.filter((path) => importsOfUndici(path).length > 0),
    [join('lib', 'adapters', 'http', 'undici.ts')],
  )
  const text = readFileSync(join(root, 'lib/adapters/http/undici.ts'), 'utf8')
  assert.match(text, /^export type \{[^}]*\} from 'undici'$/m)
})
