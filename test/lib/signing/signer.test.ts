import assert from 'node:assert/strict'
import { createPublicKey, createSecretKey, generateKeyPairSync, type KeyObject, randomBytes, verify } from 'node:crypto'
import { test } from 'node:test'
import { compactVerify } from 'jose'
import { type SignatureAlgorithm, signatureAlgorithms } from '../../../lib/configuration/signature-algorithm.ts'
import { createLocalSigner } from '../../../lib/signing/signer.ts'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const curves = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' } as const

function keyFor(algorithm: SignatureAlgorithm): KeyObject {
  const namedCurve = (curves as Partial<Record<SignatureAlgorithm, string>>)[algorithm]
  if (namedCurve !== undefined) return generateKeyPairSync('ec', { namedCurve }).privateKey
  if (algorithm === 'EdDSA' || algorithm === 'Ed25519') return generateKeyPairSync('ed25519').privateKey
  return algorithm.startsWith('HS') ? createSecretKey(randomBytes(64)) : rsa
}

async function sign(key: KeyObject, header: { readonly alg: string }, payload: Readonly<Record<string, unknown>>) {
  const jws = await createLocalSigner(key, {}).sign(header, payload)
  return jws.reveal()
}

const claims = { iss: 'théClient', nested: { a: [1, 'b'] } }

for (const algorithm of signatureAlgorithms)
  test(`jose verifies signatures with ${algorithm}, and rejects changed ones`, async () => {
    const key = keyFor(algorithm)
    const jws = await sign(key, { alg: algorithm, kid: 'theKey' } as { alg: string }, claims)
    const verifyingKey = key.type === 'secret' ? key : createPublicKey(key)
    const { payload, protectedHeader } = await compactVerify(jws, verifyingKey, { algorithms: [algorithm] })
    assert.deepEqual(JSON.parse(Buffer.from(payload).toString()), claims)
    assert.deepEqual(protectedHeader, { alg: algorithm, kid: 'theKey' })
    const [header = '', , signature] = jws.split('.')
    const other = Buffer.from('{"iss":"another"}').toString('base64url')
    await assert.rejects(compactVerify(`${header}.${other}.${signature}`, verifyingKey))
  })

for (const algorithm of Object.keys(curves) as (keyof typeof curves)[])
  test(`r and s of ${algorithm} have their full length, even with leading zeros`, async () => {
    const key = keyFor(algorithm)
    const verifyingKey = { key: createPublicKey(key), dsaEncoding: 'ieee-p1363' as const }
    const begunWithZero = { r: false, s: false }
    for (let count = 0; !(begunWithZero.r && begunWithZero.s); count++) {
      const [header, payload, signature = ''] = (await sign(key, { alg: algorithm }, { count })).split('.')
      const raw = Buffer.from(signature, 'base64url')
      assert.ok(verify(`sha${algorithm.slice(2)}`, Buffer.from(`${header}.${payload}`), verifyingKey, raw))
      begunWithZero.r ||= raw[0] === 0
      begunWithZero.s ||= raw[raw.length / 2] === 0
    }
  })

test('an unknown algorithm makes no signature', async () => {
  for (const [alg, code] of [
    ['none', 'ERR_JOSE_NOT_SUPPORTED'],
    ['', 'ERR_JWS_INVALID'],
    ['XS256', 'ERR_JOSE_NOT_SUPPORTED'],
  ] as const)
    await assert.rejects(sign(rsa, { alg }, claims), { code })
})

test('members of header and claims are signed in the given order with the given values', async () => {
  const header = { typ: 'JWT', alg: 'ES256', kid: 'theKey' }
  const given = { sub: 'theClient', exp: '5', iat: 1.5, aud: ['b', 'a'], nested: { z: 1, a: undefined } }
  const [first = '', second = ''] = (await sign(keyFor('ES256'), header, given)).split('.')
  assert.equal(Buffer.from(first, 'base64url').toString(), '{"typ":"JWT","alg":"ES256","kid":"theKey"}')
  const text = '{"sub":"theClient","exp":"5","iat":1.5,"aud":["b","a"],"nested":{"z":1}}'
  assert.equal(Buffer.from(second, 'base64url').toString(), text)
})
