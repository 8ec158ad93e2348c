import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { format, inspect } from 'node:util'
import { fileSecrets, secretPath } from '../../../../lib/adapters/files/file-secrets.ts'
import { SecretError } from '../../../../lib/secret/secret-store.ts'
import { temporaryFolder } from '../../../support/process/temporary-folder.ts'

test('a secret is the content of its file, also in a subfolder', async (t) => {
  const { secrets } = await theSecrets(t)
  assert.equal((await secrets.get('tokenwell/local/key')).reveal(), 'hunter2')
  assert.equal((await secrets.get('tokenwell/local/jwk/the-builder')).reveal(), 'hunter3\n')
})

test('a name outside the folder is rejected before any read, even if the file exists', async (t) => {
  const { secrets, folder } = await theSecrets(t)
  const outside = [
    'tokenwell/local/../outside',
    'tokenwell/local/../../outside',
    'tokenwell/local/jwk/../../outside',
    'tokenwell/local/./key',
    'tokenwell/local//key',
    'tokenwell/local/',
    'tokenwell/local',
    'tokenwell/prod/key',
    'Tokenwell/local/key',
    'tokenwell/localkey',
    'key',
    '../outside',
    join(folder, 'key'),
    '',
  ]
  for (const name of outside) {
    await assert.rejects(secrets.get(name), {
      name: 'SecretError',
      message: 'The name of a secret must begin with tokenwell/local/.',
    })
    assert.throws(() => secretPath(folder, 'local', name), SecretError)
  }
})

test('a name that contains dots is inside the folder', () => {
  assert.equal(secretPath('secrets', 'local', 'tokenwell/local/..a'), join('secrets', '..a'))
  assert.equal(secretPath('secrets', 'local', 'tokenwell/local/a.b/c'), join('secrets', 'a.b', 'c'))
})

test('a file has no previous version', async (t) => {
  const { secrets } = await theSecrets(t)
  assert.equal(await secrets.getPrevious('tokenwell/local/key'), undefined)
})

test('the error for a missing secret names the secret and the path', async (t) => {
  const { secrets, folder } = await theSecrets(t)
  await assert.rejects(secrets.get('tokenwell/local/missing'), {
    name: 'SecretError',
    code: 'secret_missing',
    message: `The secret tokenwell/local/missing does not exist. Create the file ${join(folder, 'missing')}.`,
  })
})

test('the error for an unreadable secret says why', async (t) => {
  const { secrets, folder } = await theSecrets(t)
  await assert.rejects(secrets.get('tokenwell/local/jwk'), {
    code: 'secret_denied',
    message: `The secret tokenwell/local/jwk cannot be read (EISDIR). Check that ${join(folder, 'jwk')} is a readable file.`,
  })
  await assert.rejects(secrets.get('tokenwell/local/a\0b'), { code: 'secret_denied' })
})

test('a secret is never printed, however it is shown', async (t) => {
  const { secrets } = await theSecrets(t)
  const secret = await secrets.get('tokenwell/local/key')
  const error = new Error('no answer', { cause: secret })

  const printed = [String(secret), `${secret}`, JSON.stringify(secret), inspect(secret), format('%s', secret)]
  assert.deepEqual(printed, ['[secret]', '[secret]', '"[secret]"', '[secret]', '[secret]'])
  const shown = [
    format('%o %O %j %s', secret, secret, secret, secret),
    inspect(secret, { customInspect: false, showHidden: true, depth: 9 }),
    inspect({ nested: [{ secret }] }, { depth: 9 }),
    inspect(error),
    inspect(new AggregateError([error], 'all failed', { cause: { secret } })),
    JSON.stringify({ nested: [{ secret }] }),
    JSON.stringify(error.cause),
    JSON.stringify({ ...secret }),
    JSON.stringify(Object.getOwnPropertyDescriptors(secret)),
    inspect(structuredClone({ ...secret })),
    ['', secret].join(' '),
    `${error.stack}`,
  ]
  for (const text of shown) assert.doesNotMatch(text, /hunter2/)
  assert.equal(secret.reveal(), 'hunter2')
})

/** Two secrets, and a file beside their folder that is not a secret. */
async function theSecrets(t: TestContext) {
  const parent = await temporaryFolder(t, {
    outside: 'not a secret of this stage',
    'secrets/key': 'hunter2',
    'secrets/jwk/the-builder': 'hunter3\n',
  })
  const folder = join(parent, 'secrets')
  await mkdir(join(parent, 'tokenwell'))
  return { secrets: fileSecrets(folder, 'local'), folder }
}
