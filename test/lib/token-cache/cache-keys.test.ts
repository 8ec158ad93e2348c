import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { makeCacheKeys } from '../../../infra/local/make-secrets.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { KeyStoreError } from '../../../lib/signing-key/key-store-error.ts'
import { readCacheKeys } from '../../../lib/token-cache/cache-keys.ts'

const location = 'tokenwell/test/cache'
const someKey = (bytes = 32) => randomBytes(bytes).toString('base64url')
const read = (value: unknown) =>
  readCacheKeys(location, new Secret(typeof value === 'string' ? value : JSON.stringify(value)))

test('the keys are read as they were written, the newest first', () => {
  const [namingKey, next, old] = [randomBytes(32), randomBytes(32), randomBytes(32)]
  const keys = read({
    namingKey: namingKey.toString('base64url'),
    encryptionKeys: [
      { kid: 'next', k: next.toString('base64url') },
      { kid: 'old', k: old.toString('base64url') },
    ],
    valkey: { password: 'is for somebody else' },
  })
  assert.deepEqual(Buffer.from(keys.namingKey), namingKey)
  assert.deepEqual(
    [...keys.encryptionKeys].map(([kid, key]) => [kid, Buffer.from(key)]),
    [
      ['next', next],
      ['old', old],
    ],
  )
})

test('what the local run makes can be read', async () => {
  const { encryptionKeys } = read(await makeCacheKeys())
  assert.equal(encryptionKeys.size, 1)
})

test('each mistake names the member and shows nothing of the secret', () => {
  const [namingKey, k] = [someKey(), someKey()]
  const encryptionKeys = [{ kid: 'a', k }]
  const short = someKey(31)
  const mistakes: readonly (readonly [unknown, RegExp])[] = [
    ['', /JSON object with namingKey and encryptionKeys/],
    [`no JSON ${k}`, /JSON object with namingKey and encryptionKeys/],
    [JSON.stringify(k), /JSON object with namingKey and encryptionKeys/],
    ['null', /JSON object with namingKey and encryptionKeys/],
    [[namingKey, k], /encryptionKeys/],
    [{ encryptionKeys }, /32 bytes in base64url as namingKey; it holds 0/],
    [{ namingKey: 5, encryptionKeys }, /namingKey; it holds 0/],
    [{ namingKey: short, encryptionKeys }, /namingKey; it holds 31/],
    [{ namingKey }, /encryptionKeys, a list of \{ "kid", "k" \} with at least one/],
    [{ namingKey, encryptionKeys: [] }, /encryptionKeys, a list/],
    [{ namingKey, encryptionKeys: { a: k } }, /encryptionKeys, a list/],
    [{ namingKey, encryptionKeys: [{ k }] }, /a kid; number 1 has none/],
    [
      {
        namingKey,
        encryptionKeys: [
          { kid: 'a', k },
          { kid: '', k },
        ],
      },
      /a kid; number 2 has none/,
    ],
    [
      {
        namingKey,
        encryptionKeys: [
          { kid: 'a', k },
          { kid: 7, k },
        ],
      },
      /a kid; number 2 has none/,
    ],
    [{ namingKey, encryptionKeys: [null] }, /a kid; number 1 has none/],
    [{ namingKey, encryptionKeys: [k] }, /a kid; number 1 has none/],
    [{ namingKey, encryptionKeys: [{ kid: 'a' }] }, /k of encryption key number 1; it holds 0/],
    [
      {
        namingKey,
        encryptionKeys: [
          { kid: 'a', k },
          { kid: 'b', k: short },
        ],
      },
      /encryption key number 2; it holds 31/,
    ],
    [{ namingKey, encryptionKeys: [{ kid: 'a', k: `${k}${k}` }] }, /encryption key number 1; it holds 64/],
    [
      {
        namingKey,
        encryptionKeys: [
          { kid: 'a', k },
          { kid: 'a', k: someKey() },
        ],
      },
      /share a kid/,
    ],
  ]
  for (const [value, pattern] of mistakes)
    assert.throws(
      () => read(value),
      (error) => {
        assert.ok(error instanceof KeyStoreError, String(error))
        assert.match(error.message, /^The secret tokenwell\/test\/cache (must|holds) /)
        assert.match(error.message, pattern)
        for (const text of [namingKey, k, short]) assert.ok(!String(error.stack).includes(text.slice(0, 12)))
        assert.equal(error.cause, undefined)
        return true
      },
    )
})
