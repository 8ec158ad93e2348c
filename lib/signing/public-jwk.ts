import { createPublicKey } from 'node:crypto'
import type { SignatureAlgorithm } from '../configuration/signature-algorithm.ts'
import type { SigningKey } from './signing-key.ts'

/** The public half of a key (RFC 7517, RFC 7518 section 6, RFC 8037 section 2). */
export type PublicJwk = Readonly<Record<string, string | readonly string[]>> & {
  readonly kty: string
  readonly kid: string
}

/** All that is ever published. A member that is not named here, private or new, stays inside. */
const describing = ['kty', 'kid', 'use', 'alg']
const publicParts: Readonly<Record<string, readonly string[]>> = {
  RSA: ['n', 'e'],
  EC: ['crv', 'x', 'y'],
  OKP: ['crv', 'x'],
}

/** Of whatever is given, the members that may be published; undefined where that is no whole public key with a `kid`. */
export function readPublicJwk(value: unknown): PublicJwk | undefined {
  const given = (typeof value === 'object' && value !== null ? value : {}) as Readonly<Record<string, unknown>>
  const { kty, kid, x5c } = given
  const parts = typeof kty === 'string' && Object.hasOwn(publicParts, kty) ? publicParts[kty] : undefined
  if (!parts?.every((part) => typeof given[part] === 'string') || typeof kid !== 'string') return undefined

  const members = [...describing, ...parts].flatMap((name): [string, string][] => {
    const member = given[name]
    return typeof member === 'string' ? [[name, member]] : []
  })
  const chain = isTexts(x5c) ? { x5c: [...x5c] } : {}
  return { ...Object.fromEntries(members), kty: String(kty), kid, ...chain }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === 'string')
}

/**
 * What a server needs to verify what this key signs. A certificate whose time is not now is left out: the key doesn't
 * depend on it, and a server that looks at it would refuse both.
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
