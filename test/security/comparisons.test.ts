import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Secret } from '../../lib/secret/secret.ts'
import { root } from '../support/process/local-run.ts'

/*
 * Finds in the sources where secrets are compared. The time of a comparison that stops early reveals how much was
 * right.
 */

const sources = globSync('{functions,lib,infra}/**/*.{ts,js}', { cwd: root }).sort()
const textOf = (path: string) => readFileSync(join(root, path), 'utf8')

/** A revealed secret on either side of a comparison operator, or in a method that compares. */
const early =
  /reveal\(\)\)?\s*[=!]==?|[=!]==?\s*[\w$.?() ]*reveal\(\)|reveal\(\)\.(startsWith|endsWith|localeCompare|indexOf)\(/

test('the rule finds a comparison that stops early', () => {
  for (const code of [
    'a === secret.reveal()',
    'secret.reveal() !== b',
    "if (secret.reveal() == 'x')",
    'given !== (await secrets.get(name)).reveal()',
    "secret.reveal().startsWith('x')",
  ])
    assert.match(code, early)
  for (const code of [
    'secret.equals(other)',
    'const text = secret.reveal()',
    '{ authorization: secret.reveal(), a: b === c }',
  ])
    assert.doesNotMatch(code, early)
})

test('no revealed secret is compared with an operator: equals does that', () => {
  assert.deepEqual(
    sources.filter((path) => early.test(textOf(path))),
    [],
  )
})

test('equals compares the whole value with timingSafeEqual, and finds equal and unequal values', () => {
  const [, body = ''] =
    /equals\(other: Secret\): boolean \{([\s\S]*?)\n {2}\}/.exec(textOf('lib/secret/secret.ts')) ?? []
  assert.match(body, /timingSafeEqual\(a, b\)/)
  assert.deepEqual(body.match(/\S+ [=!]==? \S+/g), ['a.length === b.length'], 'timingSafeEqual demands it')
  assert.ok(new Secret('the secret').equals(new Secret('the secret')))
  for (const other of ['the secres', 'The secret', 'the secret ', '', 'ä'])
    assert.ok(!new Secret('the secret').equals(new Secret(other)), other)
})

test('these files compare secrets, each with equals or timingSafeEqual', () => {
  const comparing = sources.filter((path) => /\.equals\(|timingSafeEqual\(/.test(textOf(path)))
  assert.deepEqual(comparing, [
    'infra/local/registered-grants.ts',
    'lib/access-token/token.ts',
    'lib/adapters/files/file-secrets.ts',
    'lib/adapters/http/dispatcher-cache.ts',
    'lib/api-call/basic-passwords.ts',
    'lib/api-call/call-credentials.ts',
    'lib/fleet/sealing.ts',
    'lib/secret/secret-cache.ts',
    'lib/secret/secret.ts',
    'lib/signing/kms-certificates.ts',
    'lib/signing/secret-dates.ts',
    'lib/signing/signer-cache.ts',
    'lib/token-endpoint/request-headers.ts',
    'lib/token-endpoint/request-keys.ts',
  ])
})
