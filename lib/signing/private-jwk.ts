import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { isJsonObject, type JsonObject } from '../base/decoding.ts'
import { KeyStoreError } from './signing-key.ts'

/** A private JWK (RFC 7517) after it was read. */
export interface PrivateJwk {
  readonly members: JsonObject
  readonly privateKey: KeyObject
}

/**
 * @param place where the key is in a set, for messages; empty for a single key
 * @throws {KeyStoreError}
 */
export function readPrivateJwk(location: string, jwk: unknown, place = ''): PrivateJwk {
  const members = isJsonObject(jwk) ? jwk : {}
  const refuse = (what: string, advice: string): never => {
    throw new KeyStoreError(location, `holds ${what}${place}${advice}`)
  }
  if (members['kty'] === 'oct')
    refuse('a symmetric JWK', '. For an HS* algorithm, store the key as plain text and name the secret in sharedKey.')
  const unwritten = keyMembers.find((name) => !['string', 'undefined'].includes(typeof members[name]))
  if (unwritten)
    refuse('a JWK', ` whose ${unwritten} is not a text. Write each number as a text in base64url, such as "e": "AQAB".`)
  if (!members['d']) refuse('a public JWK without d', '. Store the private key instead.')
  const missing = members['kty'] === 'RSA' ? primeMembers.filter((name) => !members[name]) : []
  if (missing.length > 0)
    refuse(
      'an RSA JWK',
      ` without ${missing.join(', ')}. Export the key with all members of RFC 7518 section 6.3.2, or as PEM.`,
    )
  if (!isForSigning(members))
    refuse(
      'a JWK',
      ' that is not for signing. Its use must be sig or absent, and its key_ops must contain sign or be absent.',
    )

  const privateKey = tryJwk(members) ?? refuse('a JWK', ' that cannot be read. Check that it was stored completely.')
  if (!isWhole(privateKey, members['x']))
    refuse('a JWK', ' whose private and public parts belong to different keys. Store the parts of one key.')
  return { members, privateKey }
}

const primeMembers = ['p', 'q', 'dp', 'dq', 'qi']
const keyMembers = ['n', 'e', 'd', 'crv', 'x', 'y', ...primeMembers]

/**
 * Whether its `use`, `key_ops` and `alg` allow signatures (RFC 7517 sections 4.2 to 4.4). Its exact algorithm is checked
 * when it signs.
 */
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

/**
 * Whether the private and public parts match. node:crypto doesn't check that: it reads EC and RSA keys as they are, and
 * ignores the `x` of an Ed25519 key.
 */
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
