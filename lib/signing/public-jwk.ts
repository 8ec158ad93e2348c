import { createPublicKey } from 'node:crypto'
import { isJsonObject } from '../base/decoding.ts'
import type { SignatureAlgorithm } from '../configuration/signature-algorithm.ts'
import type { SigningKey } from './signing-key.ts'

/** The public half of a key (RFC 7517, RFC 7518 section 6, RFC 8037 section 2). */
export type PublicJwk = Readonly<Record<string, string | readonly string[]>> & {
  readonly kty: string
  readonly kid: string
}

/** The only members that are ever published. A member that is not named here, private or new, is left out. */
const describingMembers = ['kty', 'kid', 'use', 'alg']
const publicMembers: Readonly<Record<string, readonly string[]>> = {
  RSA: ['n', 'e'],
  EC: ['crv', 'x', 'y'],
  OKP: ['crv', 'x'],
}

/** The members of a value that may be published, or undefined where it isn't a whole public key with a `kid`. */
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
 * What a server needs to verify the signatures of this key. A certificate that is expired or not yet valid is left out: the
 * key doesn't depend on it, and a server that checks it would refuse both.
 */
export function publicHalf(
  { privateKey, keyId, certificates }: SigningKey,
  algorithm: SignatureAlgorithm,
  now: number,
): PublicJwk | undefined {
  const isValid = certificates.every(({ validFromDate, validToDate }) => +validFromDate <= now && now <= +validToDate)
  return readPublicJwk({
    ...createPublicKey(privateKey).export({ format: 'jwk' }),
    kid: keyId,
    use: 'sig',
    alg: algorithm,
    ...(isValid && { x5c: certificates.map(({ raw }) => raw.toString('base64')) }),
  })
}
