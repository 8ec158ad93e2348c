import { deepEqual, equal } from 'node:assert/strict'
import { createHash, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto'
import { test } from 'node:test'
import { digestOf, signatureOfJws } from '../../../lib/signing/service-signature.ts'

const curves = [
  { algorithm: 'ES256', namedCurve: 'P-256', hash: 'sha256', bytes: 32 },
  { algorithm: 'ES384', namedCurve: 'P-384', hash: 'sha384', bytes: 48 },
  { algorithm: 'ES512', namedCurve: 'P-521', hash: 'sha512', bytes: 66 },
] as const

for (const { algorithm, namedCurve, hash, bytes } of curves)
  test(`an ${algorithm} signature in DER becomes r and s of ${bytes} bytes, also where each begins with a zero`, () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve })
    const begun = { r: false, s: false }
    let count = 0
    // Half of the numbers of P-521 begin with a zero byte, and one in 256 of the others.
    for (; (!begun.r || !begun.s || count < 300) && count < 20_000; count++) {
      const message = randomBytes(16)
      const jws = Buffer.from(signatureOfJws(sign(hash, message, privateKey), algorithm) ?? [])
      equal(jws.length, 2 * bytes)
      equal(verify(hash, message, { key: publicKey, dsaEncoding: 'ieee-p1363' }, jws), true)
      begun.r ||= jws[0] === 0
      begun.s ||= jws[bytes] === 0
    }
    deepEqual(begun, { r: true, s: true }, `after ${count} signatures`)
  })

const der = (...parts: readonly (readonly number[])[]) => Uint8Array.from([0x30, parts.flat().length, ...parts.flat()])
const one = [0x02, 0x01, 0x01]

test('the smallest numbers are padded in front', () => {
  const signature = signatureOfJws(der(one, [0x02, 0x02, 0x00, 0x80]), 'ES256')
  equal(Buffer.from(signature ?? []).toString('hex'), `${'00'.repeat(31)}01${'00'.repeat(31)}80`)
})

const malformed: Readonly<Record<string, Uint8Array>> = {
  'no bytes': new Uint8Array(),
  'only a tag': Uint8Array.from([0x30]),
  'another tag': Uint8Array.from([0x31, 6, ...one, ...one]),
  'a sequence that ends early': der(one, one).subarray(0, 6),
  'bytes after the sequence': Uint8Array.from([...der(one, one), 0]),
  'one number': der(one),
  'three numbers': der(one, one, one),
  'an empty number': der(one, [0x02, 0x00]),
  'a negative number': der([0x02, 0x01, 0x80], one),
  'a needless zero': der([0x02, 0x02, 0x00, 0x7f], one),
  'a zero alone': der([0x02, 0x01, 0x00], one),
  'a number of another type': der(one, [0x04, 0x01, 0x01]),
  'a number that is longer than the curve': der(one, [0x02, 33, 1, ...Array(32).fill(0)]),
  'a length in an unnecessary long form': Uint8Array.from([0x30, 0x81, 6, ...one, ...one]),
  'a length of unknown form': Uint8Array.from([0x30, 0x80, ...one, ...one, 0, 0]),
  'r and s without DER': new Uint8Array(64).fill(1),
}
for (const [what, bytes] of Object.entries(malformed))
  test(`${what}: no ECDSA signature`, () => {
    equal(signatureOfJws(bytes, 'ES256'), undefined)
  })

test('RSA and Ed25519 signatures stay as they are', () => {
  const bytes = randomBytes(64)
  for (const algorithm of ['RS256', 'PS512', 'Ed25519', 'EdDSA'] as const)
    equal(signatureOfJws(bytes, algorithm), bytes)
})

test('the digest is by the hash of the algorithm, and Ed25519 has none', () => {
  const message = randomBytes(20)
  for (const algorithm of ['RS256', 'PS384', 'ES512'] as const)
    deepEqual(
      digestOf(message, algorithm),
      createHash(`sha${algorithm.slice(2)}`)
        .update(message)
        .digest(),
    )
  equal(digestOf(message, 'Ed25519'), undefined)
})
