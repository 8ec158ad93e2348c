import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { test } from 'node:test'
import { type SignatureAlgorithm, signatureAlgorithms } from '../../../lib/configuration/signature-algorithm.ts'
import { keyAlgorithmMismatch } from '../../../lib/signing/key-algorithm.ts'
import { createLocalSigner } from '../../../lib/signing/signer.ts'

const rs: readonly SignatureAlgorithm[] = ['RS256', 'RS384', 'RS512']
const ps: readonly SignatureAlgorithm[] = ['PS256', 'PS384', 'PS512']

interface Row {
  /** The description of the key in the message. */
  readonly found: string
  readonly key: KeyObject
  readonly fits: readonly SignatureAlgorithm[]
  /** The needed key in the message, if it isn't the algorithm's kind of key. */
  readonly needs?: (algorithm: SignatureAlgorithm) => string | undefined
}

const rsaBits = (algorithm: SignatureAlgorithm) =>
  /^[RP]S/.test(algorithm) ? `${algorithm} needs at least 2048 bits` : undefined

const rows: readonly Row[] = [
  { found: 'a 1024 bit RSA key', key: rsa(1024), fits: [], needs: rsaBits },
  { found: 'a 2040 bit RSA key', key: rsa(2040), fits: [], needs: rsaBits },
  { found: 'a 2048 bit RSA key', key: rsa(2048), fits: [...rs, ...ps] },
  { found: 'a 3072 bit RSA key', key: rsa(3072), fits: [...rs, ...ps] },
  { found: 'an EC key on P-256', key: ec('P-256'), fits: ['ES256'] },
  { found: 'an EC key on P-384', key: ec('P-384'), fits: ['ES384'] },
  { found: 'an EC key on P-521', key: ec('P-521'), fits: ['ES512'] },
  { found: 'an EC key on secp256k1', key: ec('secp256k1'), fits: [] },
  { found: 'a key of type ed25519', key: generateKeyPairSync('ed25519').privateKey, fits: ['Ed25519', 'EdDSA'] },
  { found: 'a key of type ed448', key: generateKeyPairSync('ed448').privateKey, fits: [] },
  { found: 'a key of type x25519', key: generateKeyPairSync('x25519').privateKey, fits: [] },
]

function rsa(modulusLength: number): KeyObject {
  return generateKeyPairSync('rsa', { modulusLength }).privateKey
}

function ec(namedCurve: string): KeyObject {
  return generateKeyPairSync('ec', { namedCurve }).privateKey
}

/** The kind of key that an algorithm signs with (RFC 7518 section 3.1, RFC 8037). HS* has none. */
const kindOfKey: Readonly<Record<SignatureAlgorithm, string | undefined>> = {
  RS256: 'RSA key',
  RS384: 'RSA key',
  RS512: 'RSA key',
  PS256: 'RSA key',
  PS384: 'RSA key',
  PS512: 'RSA key',
  ES256: 'EC key on P-256',
  ES384: 'EC key on P-384',
  ES512: 'EC key on P-521',
  Ed25519: 'Ed25519 key',
  EdDSA: 'Ed25519 key',
  HS256: undefined,
  HS384: undefined,
  HS512: undefined,
}

for (const { found, key, fits, needs } of rows) {
  test(`${found} ${fits.length === 0 ? 'fits no algorithm' : `fits ${fits.join(', ')} and no other algorithm`}`, () => {
    for (const algorithm of signatureAlgorithms) {
      const complaint = keyAlgorithmMismatch(key, algorithm)
      if (fits.includes(algorithm)) assert.equal(complaint, undefined, algorithm)
      else assert.ok(complaint?.startsWith(`holds ${found}, but ${algorithm} needs`), `${algorithm}: ${complaint}`)
    }
  })

  test(`${found} that doesn't fit is refused with a message that says what is needed`, () => {
    for (const algorithm of signatureAlgorithms) {
      const wanted = needs?.(algorithm) ?? kindOfKey[algorithm]
      if (fits.includes(algorithm) || wanted === undefined) continue
      const complaint = keyAlgorithmMismatch(key, algorithm) ?? ''
      assert.ok(complaint.includes(wanted), `${algorithm}: ${complaint}`)
    }
  })

  if (fits.length > 0)
    test(`${found} signs with every algorithm that it fits`, async () => {
      for (const algorithm of fits) {
        const signed = await createLocalSigner(key, {}).sign({ alg: algorithm }, {})
        assert.match(signed.reveal(), /^[\w-]+\.[\w-]+\.[\w-]+$/, algorithm)
      }
    })
}

test('an RSA key that is restricted to PSS is refused, also for PS*', () => {
  const pss = generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey
  for (const algorithm of [...rs, ...ps])
    assert.equal(
      keyAlgorithmMismatch(pss, algorithm),
      `holds a 2048 bit RSA-PSS key, but ${algorithm} needs an RSA key that is not restricted to PSS.`,
    )
})
