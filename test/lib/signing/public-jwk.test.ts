import assert from 'node:assert/strict'
import { createPublicKey, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { createKeyCertificate } from '../../../infra/local/certificate-authority.ts'
import { signatureAlgorithms } from '../../../lib/configuration/signature-algorithm.ts'
import { generateKey, keyAlgorithmMismatch } from '../../../lib/signing/key-algorithm.ts'
import { publicHalf, readPublicJwk } from '../../../lib/signing/public-jwk.ts'

const now = Date.now()
const day = 86_400_000
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const algorithms = signatureAlgorithms.filter((algorithm) => !algorithm.startsWith('HS'))

test('a key that is made for an algorithm fits it', () => {
  for (const algorithm of algorithms)
    assert.equal(keyAlgorithmMismatch(generateKey(algorithm, 2048), algorithm), undefined, algorithm)
  assert.equal(generateKey('PS512', 3072).asymmetricKeyDetails?.modulusLength, 3072)
})

test('the public part of a key has what a server needs to verify, and nothing private', () => {
  for (const algorithm of algorithms) {
    const privateKey = generateKey(algorithm, 2048)
    const jwk = publicHalf({ privateKey, keyId: 'the-key', certificates: [] }, algorithm, now)
    assert(jwk)
    const { kid, use, alg, ...parts } = jwk
    assert.deepEqual([kid, use, alg], ['the-key', 'sig', algorithm])
    assert.deepEqual(parts, createPublicKey(privateKey).export({ format: 'jwk' }))
    assert.deepEqual(
      Object.keys(parts).filter((name) => privateMembers.includes(name)),
      [],
    )
  }
})

test('no private member is returned, whatever is read as a public key', () => {
  for (const algorithm of algorithms) {
    const whole = generateKey(algorithm, 2048).export({ format: 'jwk' })
    const more = Object.fromEntries(privateMembers.map((name) => [name, 'hunter2']))
    const jwk = readPublicJwk({ kid: 'a', ...whole, ...more, signsFrom: 1, new: 'hunter2', x5c: [1], x5t: 'a' })
    const { kty, n, e, crv, x, y } = whole
    assert.deepEqual(jwk, JSON.parse(JSON.stringify({ kty, kid: 'a', n, e, crv, x, y })))
  }
})

test('a value that is not a complete public key with a kid is refused', () => {
  const { kty, n, e } = generateKey('RS256', 2048).export({ format: 'jwk' })
  const { crv, x, y } = generateKey('ES256', 0).export({ format: 'jwk' })
  const broken: readonly unknown[] = [
    ...[undefined, null, 'text', 1, [], {}],
    ...[
      { kty, n, e },
      { kty, n, e, kid: 1 },
      { kty, n, kid: 'a' },
      { kty, n, e: 1, kid: 'a' },
    ],
    ...[
      { kty: 'EC', crv, x, kid: 'a' },
      { kty: 'oct', k: 'hunter2', kid: 'a' },
      { kty: 'toString', kid: 'a' },
      { kid: 'a', n, e },
    ],
  ]
  for (const each of broken) assert.equal(readPublicJwk(each), undefined, JSON.stringify(each))
  assert.ok(readPublicJwk({ kty: 'EC', crv, x, y, kid: 'a' }))
})

test('a certificate is published only while it is valid, and the key itself always', async () => {
  const privateKey = generateKey('RS256', 2048)
  const certificate = new X509Certificate(await createKeyCertificate(privateKey, 'theClient'))
  const half = (at: number) => publicHalf({ privateKey, keyId: 'a', certificates: [certificate] }, 'RS256', at)
  const [from, to] = [+certificate.validFromDate, +certificate.validToDate]
  for (const at of [from, now, to]) assert.deepEqual(half(at)?.['x5c'], [certificate.raw.toString('base64')])
  for (const at of [from - 1, to + 1, to + day]) {
    const jwk = half(at)
    assert.equal(jwk?.kid, 'a')
    assert.equal(jwk['x5c'], undefined)
  }
})
