import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { isJsonObject, type JsonObject } from '../base/decoding.ts'
import { KeyStoreError } from './signing-key.ts'

/** A private JWK (RFC 7517), read. */
export interface PrivateJwk {
  readonly members: JsonObject
  readonly privateKey: KeyObject
}

/**
 * @param place of the key in a set, for messages; empty for a key alone
 * @throws {KeyStoreError}
 */
export function readPrivateJwk(location: string, jwk: unknown, place = ''): PrivateJwk {
  const members = isJsonObject(jwk) ? jwk : {}
  const refuse = (what: string, advice: string): never => {
    throw new KeyStoreError(location, `holds ${what}${place}${advice}`)
  }
  if (members['kty'] === 'oct') refuse('a symmetric JWK', '; name a plain secret in sharedKey for HS* algorithms.')
  const unwritten = keyMembers.find((name) => !['string', 'undefined'].includes(typeof members[name]))
  if (unwritten)
    refuse('a JWK', ` whose ${unwritten} is no text; each number is a text in base64url, such as "e": "AQAB".`)
  if (!members['d']) refuse('a JWK without d, a public key', '; it must hold the private one.')
  const missing = members['kty'] === 'RSA' ? primeMembers.filter((name) => !members[name]) : []
  if (missing.length > 0)
    refuse(
      'an RSA JWK',
      ` without ${missing.join(', ')}; export the key with all members of RFC 7518 section 6.3.2, or as PEM.`,
    )
  if (!isForSigning(members))
    refuse(
      'a JWK',
      ' that is marked for another use; a key that signs has use sig, or no use, and sign among its key_ops.',
    )

  const privateKey = tryJwk(members) ?? refuse('a JWK', " that can't be read; check that it was stored whole.")
  if (!isWhole(privateKey, members['x'])) refuse('a JWK', ' whose private and public halves belong to different keys.')
  return { members, privateKey }
}

const primeMembers = ['p', 'q', 'dp', 'dq', 'qi']
const keyMembers = ['n', 'e', 'd', 'crv', 'x', 'y', ...primeMembers]

/** Whether its marks allow a signature (RFC 7517 sections 4.2 to 4.4). Which algorithm it is for is checked where it signs. */
export function isForSigning({ use, key_ops: operations, alg }: JsonObject): boolean {
  return (
    (use ?? 'sig') === 'sig' &&
    (Array.isArray(operations) ? operations.includes('sign') : (operations ?? true) === true) &&
    !/^(RSA|ECDH)-/.test(String(alg))
  )
}

/** Drops the error of node:crypto, which may quote its input. */
function tryJwk(key: JsonObject): KeyObject | undefined {
  try {
    return createPrivateKey({ key, format: 'jwk' })
  } catch {
    return undefined
  }
}

/** The halves of a JWK may differ, and node:crypto doesn't check: it reads EC and RSA keys as given, and ignores the x of an Ed25519 key. */
function isWhole(privateKey: KeyObject, x: unknown): boolean {
  const publicKey = createPublicKey(privateKey)
  if (!['rsa', 'ec'].includes(String(privateKey.asymmetricKeyType))) return publicKey.export({ format: 'jwk' }).x === x
  const probe = Buffer.from('probe')
  try {
    return verify('sha256', probe, publicKey, sign('sha256', probe, privateKey))
  } catch {
    return false
  }
}
