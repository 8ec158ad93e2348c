import { constants, createECDH, createHash, type KeyObject, privateEncrypt, randomBytes } from 'node:crypto'

/*
 * Signatures of digests, as KMS makes them with `MessageType: DIGEST`. Node.js signs messages only, so the last step of each algorithm
 * is here: RFC 8017 sections 8.1.1, 8.2.1 and 9, and FIPS 186-5 section 6.4.1. The tests verify each by Node.js.
 */

export type HashName = 'sha256' | 'sha384' | 'sha512'

/** RSASSA-PKCS1-v1_5. */
export function signPkcs1(key: KeyObject, hash: HashName, digest: Buffer): Buffer {
  const encoded = Buffer.concat([Buffer.from(digestInfo[hash], 'hex'), digest])
  return privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, encoded)
}

/** The beginning of DigestInfo (RFC 8017 section 9.2 note 1). */
const digestInfo: Readonly<Record<HashName, string>> = {
  sha256: '3031300d060960864801650304020105000420',
  sha384: '3041300d060960864801650304020205000430',
  sha512: '3051300d060960864801650304020305000440',
}

/** RSASSA-PSS with MGF1 of the same hash, and a salt as long as the digest (RFC 7518 section 3.5). */
export function signPss(key: KeyObject, hash: HashName, digest: Buffer): Buffer {
  const bits = (key.asymmetricKeyDetails?.modulusLength ?? 0) - 1
  const length = Math.ceil(bits / 8)
  const salt = randomBytes(digest.length)
  const h = createHash(hash).update(Buffer.alloc(8)).update(digest).update(salt).digest()
  const block = Buffer.alloc(length - digest.length - 1)
  block[block.length - salt.length - 1] = 1
  salt.copy(block, block.length - salt.length)
  const mask = generateMask(hash, h, block.length)
  const masked = block.map((byte, index) => byte ^ (mask[index] ?? 0))
  masked[0] = (masked[0] ?? 0) & (0xff >> (8 * length - bits))
  const encoded = Buffer.concat([masked, h, Buffer.from([0xbc])])
  return privateEncrypt({ key, padding: constants.RSA_NO_PADDING }, encoded)
}

/** MGF1. */
function generateMask(hash: HashName, seed: Buffer, length: number): Buffer {
  const blocks: Buffer[] = []
  for (let counter = 0; Buffer.concat(blocks).length < length; counter++) {
    const number = Buffer.alloc(4)
    number.writeUInt32BE(counter)
    blocks.push(createHash(hash).update(seed).update(number).digest())
  }
  return Buffer.concat(blocks)
}

/** The curve's name for ECDH, and its order. */
const curves = {
  'P-256': ['prime256v1', 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n],
  'P-384': [
    'secp384r1',
    0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  ],
  'P-521': [
    'secp521r1',
    0x1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
  ],
} as const

/** ECDSA, in DER. None of these digests is longer than its order. */
export function signEcdsa(key: KeyObject, digest: Buffer): Buffer {
  const { crv, d = '' } = key.export({ format: 'jwk' })
  const [curve, order] = curves[crv as keyof typeof curves]
  for (;;) {
    const k = (toNumber(randomBytes(72)) % (order - 1n)) + 1n
    const ecdh = createECDH(curve)
    ecdh.setPrivateKey(toBytes(k))
    const point = ecdh.getPublicKey()
    const r = toNumber(point.subarray(1, (point.length + 1) / 2)) % order
    const s = (inverse(k, order) * (toNumber(digest) + r * toNumber(Buffer.from(d, 'base64url')))) % order
    if (r !== 0n && s !== 0n) return sequence(r, s)
  }
}

function sequence(...numbers: readonly bigint[]): Buffer {
  const content = Buffer.concat(numbers.map(derInteger))
  const length = content.length < 128 ? [content.length] : [0x81, content.length]
  return Buffer.concat([Buffer.from([0x30, ...length]), content])
}

function derInteger(value: bigint): Buffer {
  const bytes = toBytes(value)
  const padded = (bytes[0] ?? 0) > 127 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes
  return Buffer.concat([Buffer.from([2, padded.length]), padded])
}

/** By the extended Euclidean algorithm. */
function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [value, modulus, 1n, 0n]
  while (b !== 0n) {
    const quotient = a / b
    ;[a, b] = [b, a - quotient * b]
    ;[x, y] = [y, x - quotient * y]
  }
  return ((x % modulus) + modulus) % modulus
}

function toNumber(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString('hex')}`)
}

function toBytes(value: bigint): Buffer {
  const digits = value.toString(16)
  return Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex')
}
