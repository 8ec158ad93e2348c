import assert from 'node:assert/strict'
import { hkdfSync, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeCacheKeys } from '../../../infra/local/make-secrets.ts'
import { readCacheKeys } from '../../../lib/fleet/cache-keys.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { KeyStoreError } from '../../../lib/signing/signing-key.ts'
import { root } from '../../support/process/local-run.ts'

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
    valkey: { password: 'is for another reader' },
  })
  assert.deepEqual(keys.namingKey.export(), namingKey)
  assert.deepEqual(
    [...keys.encryptionKeys].map(([kid, key]) => [kid, Buffer.from(key)]),
    [
      ['next', next],
      ['old', old],
    ],
  )
})

test('the secret of the storage schema can be read once it holds keys', () => {
  const page = readFileSync(join(root, 'lib', 'fleet', 'README.md'), 'utf8')
  const [, example = ''] = /run: test\/lib\/fleet\/cache-keys\.test\.ts -->\n\n```json\n([\s\S]+?)```/.exec(page) ?? []
  const { encryptionKeys } = read(example.replaceAll('<32 bytes in base64url>', someKey()))
  assert.deepEqual([...encryptionKeys.keys()], ['2026-11'])
})

test('the secret that the local run makes can be read', async () => {
  const { encryptionKeys } = read(await makeCacheKeys())
  assert.equal(encryptionKeys.size, 1)
})

test('a seed alone gives all keys: each is different, and the same each time', () => {
  const seed = 'x'.repeat(43)
  const { namingKey, encryptionKeys } = read({ seed })
  assert.deepEqual([...encryptionKeys.keys()], ['seed'])
  // RFC 5869 with these texts: another derivation would make every token of a running deployment a miss.
  const derived = (purpose: string) => Buffer.from(hkdfSync('sha256', seed, '', `tokenwell cache: ${purpose}`, 32))
  assert.deepEqual(namingKey.export(), derived('naming key'))
  assert.deepEqual(Buffer.from(encryptionKeys.get('seed') ?? []), derived('encryption key seed'))
  assert.notDeepEqual(read({ seed: 'y'.repeat(43) }), read({ seed }))
})

test('keys beside a seed rotate as usual: the seed gives only the missing ones', () => {
  const seed = 'x'.repeat(64)
  const [k, namingKey] = [someKey(), someKey()]
  const before = read({ seed })
  const during = read({ seed, encryptionKeys: [{ kid: 'new', k }, { kid: 'seed' }] })
  assert.deepEqual([...during.encryptionKeys.keys()], ['new', 'seed'])
  assert.equal(Buffer.from(during.encryptionKeys.get('new') ?? []).toString('base64url'), k)
  assert.deepEqual(during.encryptionKeys.get('seed'), before.encryptionKeys.get('seed'), 'it still opens')
  assert.deepEqual(during.namingKey.export(), before.namingKey.export(), 'records keep their names')

  const after = read({ seed, encryptionKeys: [{ kid: 'new', k }] })
  assert.deepEqual([...after.encryptionKeys.keys()], ['new'], 'and then it is gone')
  assert.equal(read({ seed, namingKey }).namingKey.export().toString('base64url'), namingKey)
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
    [{ encryptionKeys }, /32 bytes in base64url in namingKey\. It holds 0 bytes\./],
    [{ namingKey: 5, encryptionKeys }, /namingKey\. It holds 0 bytes\./],
    [{ namingKey: short, encryptionKeys }, /namingKey\. It holds 31 bytes\./],
    [{ namingKey }, /encryptionKeys: a list of \{ "kid", "k" \} with at least one/],
    [{ namingKey, encryptionKeys: [] }, /encryptionKeys: a list/],
    [{ namingKey, encryptionKeys: { a: k } }, /encryptionKeys: a list/],
    [{ namingKey, encryptionKeys: [{ k }] }, /a kid\. Key number 1 has none/],
    [
      {
        namingKey,
        encryptionKeys: [
          { kid: 'a', k },
          { kid: '', k },
        ],
      },
      /a kid\. Key number 2 has none/,
    ],
    [
      {
        namingKey,
        encryptionKeys: [
          { kid: 'a', k },
          { kid: 7, k },
        ],
      },
      /a kid\. Key number 2 has none/,
    ],
    [{ namingKey, encryptionKeys: [null] }, /a kid\. Key number 1 has none/],
    [{ namingKey, encryptionKeys: [k] }, /a kid\. Key number 1 has none/],
    [{ namingKey, encryptionKeys: [{ kid: 'a' }] }, /k of encryption key number 1\. It holds 0 bytes\./],
    [
      {
        namingKey,
        encryptionKeys: [
          { kid: 'a', k },
          { kid: 'b', k: short },
        ],
      },
      /encryption key number 2\. It holds 31 bytes\./,
    ],
    [{ namingKey, encryptionKeys: [{ kid: 'a', k: `${k}${k}` }] }, /encryption key number 1\. It holds 64 bytes\./],
    [
      {
        namingKey,
        encryptionKeys: [
          { kid: 'a', k },
          { kid: 'a', k: someKey() },
        ],
      },
      /two encryptionKeys with the same kid/,
    ],
    [{ seed: 'x'.repeat(42) }, /in seed a random text of at least 43/],
    [{ seed: 43 }, /in seed a random text/],
    [{ seed: '', namingKey, encryptionKeys }, /in seed a random text/],
    [{ seed: k, encryptionKeys: [] }, /encryptionKeys: a list/],
    [{ seed: k, namingKey: null }, /namingKey\. It holds 0 bytes\./],
    [{ seed: k, encryptionKeys: [{ kid: 'a', k: short }] }, /encryption key number 1\. It holds 31 bytes\./],
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
