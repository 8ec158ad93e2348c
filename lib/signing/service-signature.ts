import { createHash } from 'node:crypto'
import { isEdwardsAlgorithm, type SignatureAlgorithm } from '../configuration/signature-algorithm.ts'

/** The digest that a key service signs. Undefined for Ed25519, which has no digest. */
export function digestOf(message: Uint8Array, algorithm: SignatureAlgorithm): Uint8Array | undefined {
  return isEdwardsAlgorithm(algorithm)
    ? undefined
    : createHash(`sha${algorithm.slice(2)}`)
        .update(message)
        .digest()
}

/** The bytes of r and of s (RFC 7518 section 3.4). */
const integerBytes = { ES256: 32, ES384: 48, ES512: 66 } as const satisfies Partial<Record<SignatureAlgorithm, number>>

/**
 * The signature of a JWS: for ECDSA r and s in fixed length (RFC 7518 section 3.4) in place of DER.
 * @param signature as a key service makes it
 * @returns undefined if the bytes are no signature of that algorithm
 */
export function signatureOfJws(signature: Uint8Array, algorithm: SignatureAlgorithm): Uint8Array | undefined {
  const length = (integerBytes as Partial<Record<SignatureAlgorithm, number>>)[algorithm]
  return length === undefined ? signature : joinIntegers(signature, length)
}

const sequenceTag = 0x30
const integerTag = 0x02

/** Reads `SEQUENCE { r INTEGER, s INTEGER }` in DER (RFC 3279 section 2.2.3). */
function joinIntegers(der: Uint8Array, length: number): Uint8Array | undefined {
  const sequence = readValue(der, sequenceTag)
  const r = sequence && sequence.rest.length === 0 ? readValue(sequence.value, integerTag) : undefined
  const s = r && readValue(r.rest, integerTag)
  if (!r || !s || s.rest.length > 0) return undefined
  const [fixedR, fixedS] = [withLength(r.value, length), withLength(s.value, length)]
  return fixedR && fixedS && Buffer.concat([fixedR, fixedS])
}

interface DerValue {
  readonly value: Uint8Array
  readonly rest: Uint8Array
}

/** The first value. Only P-521 needs the long form of a length, and then with one byte. */
function readValue(der: Uint8Array, tag: number): DerValue | undefined {
  const [foundTag, first = 0, second = 0] = der
  const isLong = first === 0x81 && second > 0x7f
  const length = isLong ? second : first
  const start = isLong ? 3 : 2
  if (foundTag !== tag || (!isLong && first > 0x7f) || der.length < start + length) return undefined
  return { value: der.subarray(start, start + length), rest: der.subarray(start + length) }
}

/** DER has no zeros before a number, but for one zero where the number would be negative without it. */
function withLength(integer: Uint8Array, length: number): Uint8Array | undefined {
  const [first, second = 0] = integer
  if (first === undefined || first > 0x7f) return undefined
  if (first === 0 && second < 0x80) return undefined
  const magnitude = first === 0 ? integer.subarray(1) : integer
  if (magnitude.length > length) return undefined
  return Buffer.concat([Buffer.alloc(length - magnitude.length), magnitude])
}
