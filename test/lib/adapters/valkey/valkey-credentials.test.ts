import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readValkeyCredentials } from '../../../../lib/adapters/valkey/valkey-connection.ts'
import { Secret } from '../../../../lib/secret/secret.ts'
import { KeyStoreError } from '../../../../lib/signing/signing-key.ts'

const location = 'tokenwell/test/cache'
const read = (value: unknown) =>
  readValkeyCredentials(location, new Secret(typeof value === 'string' ? value : JSON.stringify(value)))

test('user name, password and CA are read, whatever else the secret contains', () => {
  const { password, ...rest } = read({
    namingKey: 'a key',
    valkey: { username: 'the-user', password: 'the-password', ca: 'the-ca' },
  })
  assert.deepEqual(rest, { username: 'the-user', ca: 'the-ca' })
  assert.equal(password?.reveal(), 'the-password')
})

test('user name, password and CA are each optional', () => {
  assert.deepEqual(read({ namingKey: 'a key' }), {})
  assert.deepEqual(read({ valkey: {} }), {})
  assert.deepEqual(Object.keys(read({ valkey: { password: 'the-password' } })), ['password'])
})

test('the error for a mistake names the secret and the member, and shows no value', () => {
  for (const value of [
    'the-password',
    '"the-password"',
    'null',
    { valkey: 'the-password' },
    { valkey: null },
    { valkey: { password: '' } },
    { valkey: { password: 5 } },
    { valkey: { username: ['the-password'] } },
    { valkey: { ca: true } },
    { valkey: { passwort: 'the-password' } },
  ])
    assert.throws(
      () => read(value),
      (error) => {
        assert.ok(error instanceof KeyStoreError, String(error))
        assert.match(error.message, /^The secret tokenwell\/test\/cache must be a JSON object\. Its member valkey/)
        assert.ok(!String(error.stack).includes('the-password'))
        return true
      },
      JSON.stringify(value),
    )
})
