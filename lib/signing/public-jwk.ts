import { createPublicKey, type KeyObject } from 'node:crypto'
import { isJsonObject } from '../base/decoding.ts'
import type { SignatureAlgorithm } from '../configuration/signature-algorithm.ts'
import type { SigningKey } from './signing-key.ts'

/** The public part of a key (RFC 7517, RFC 7518 section 6, RFC 8037 section 2). */
export type PublicJwk = Readonly<Record<string, string | readonly string[]>> & {
  readonly kty: string
  readonly kid: string
}

/** The only members that are ever published. All other members are left out, as they may be private. */
const describingMembers = ['kty', 'kid', 'use', 'alg']
const publicMembers: Readonly<Record<string, readonly string[]>> = {
  RSA: ['n', 'e'],
  EC: ['crv', 'x', 'y'],
  OKP: ['crv', 'x'],
}

/** The members of a value that may be published. Undefined if it isn't a complete public key with a `kid`. */
export function readPublicJwk(value: unknown): PublicJwk | undefined {
  const given = isJsonObject(value) ? value : {}
  const { kty, kid, x5c } = given
  const required = typeof kty === 'string' && Object.hasOwn(publicMembers, kty) ? publicMembers[kty] : undefined
  if (!required?.every((name) => typeof given[name] === 'string') || typeof kid !== 'string') return undefined

  const members = [...describingMembers, ...required].flatMap((name): [string, string][] => {
    const member = given[name]
    return typeof member === 'string' ? [[name, member]] : []
  })
  const chain = isStringList(x5c) ? { x5c: [...x5c] } : {}
  return { ...Object.fromEntries(members), kty: String(kty), kid, ...chain }
}

function isStringList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === 'string')
}

/**
 * The public key that a server needs to verify signatures. A certificate that has expired or is not valid yet is left out: the
 * key is valid without it, and a server that checks the certificate would refuse both.
 */
export function publicHalf(
  { privateKey, keyId, certificates }: SigningKey,
  algorithm: SignatureAlgorithm,
  now: number,
): PublicJwk | undefined {
  return publicJwkOf({ publicKey: createPublicKey(privateKey), keyId, certificates }, algorithm, now)
}

export function publicJwkOf(
  { publicKey, keyId, certificates }: Pick<SigningKey, 'keyId' | 'certificates'> & { readonly publicKey: KeyObject },
  algorithm: SignatureAlgorithm,
  now: number,
): PublicJwk | undefined {
  const isValid = certificates.every(({ validFromDate, validToDate }) => +validFromDate <= now && now <= +validToDate)
  return readPublicJwk({
    ...publicKey.export({ format: 'jwk' }),
    kid: keyId,
    use: 'sig',
    alg: algorithm,
    ...(isValid && { x5c: certificates.map(({ raw }) => raw.toString('base64')) }),
  })
}
