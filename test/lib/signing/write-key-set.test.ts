import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { createKeyCertificate } from '../../../infra/local/certificate-authority.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { generateKey } from '../../../lib/signing/key-algorithm.ts'
import { readGeneratedKeys, readReplaces, writeKeySet } from '../../../lib/signing/signing-secret.ts'

const location = 'tokenwell/local/jwk/theBuilder'

test('a written key set reads back the same: order, ids, certificates and times', async () => {
  const rsa = generateKey('RS256', 2048)
  const certificates = [new X509Certificate(await createKeyCertificate(rsa, 'theClient'))]
  const keys = [
    { privateKey: generateKey('RS256', 2048), keyId: 'next', certificates: [], signsFrom: 1_800_000_600_000 },
    { privateKey: rsa, keyId: 'current', certificates, signsFrom: 0, signsUntil: 1_800_000_600_000 },
    { privateKey: generateKey('RS256', 2048), keyId: 'untimed', certificates: [] },
  ]
  const written = writeKeySet(keys, 'RS256', 'the-version')
  const read = readGeneratedKeys(location, written)
  const plain = (each: (typeof read)[number]) => ({
    ...each,
    privateKey: each.privateKey.export({ format: 'jwk' }),
    certificates: each.certificates.map(({ raw }) => raw),
  })
  assert.deepEqual(read.map(plain), keys.map(plain))
  assert.equal(readReplaces(written), 'the-version')
  assert.equal(readReplaces(writeKeySet(keys, 'RS256', undefined)), undefined)
  assert.equal(String(written), '[secret]')
})

test('only content that clearly holds no key counts as empty', () => {
  const empty = [undefined, '', '\n', '{}', '{"keys":[]}', '{"keys":[],"placeholder":"a b"}']
  for (const text of empty)
    assert.deepEqual(readGeneratedKeys(location, text === undefined ? undefined : new Secret(text)), [], text)
  for (const text of [
    'null',
    '[]',
    '"{}"',
    '{"keys":{}}',
    '{"keys":[{}]}',
    '{"kty":"EC"}',
    '{"privateKey":""}',
    'a b',
    '12345',
  ])
    assert.throws(() => readGeneratedKeys(location, new Secret(text)), { name: 'KeyStoreError' }, text)
})
