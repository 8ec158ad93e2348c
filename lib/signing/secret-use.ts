import { createPrivateKey } from 'node:crypto'
import { isJsonObject, type JsonObject, parseJson } from '../base/decoding.ts'
import { isReservedSecret } from '../configuration/deployment.ts'
import { canonicalHost, isHostName } from '../configuration/value-syntax.ts'
import { isDer, isJks, oneLine, Secret } from '../secret/secret.ts'
import { unwrapBase64 } from './pem.ts'
import { KeyStoreError } from './signing-key.ts'

/** Where a secret is sent, or whom it proves us to. */
export interface SecretUse {
  /** The element that says so: `authorizationServer/theServer`. */
  readonly element: string
  /** As `hostname` of a URL has it. */
  readonly host: string
}

/**
 * A password: the text itself, or the `password` of JSON `{ "password", "hosts" }`, which is sent to those hosts alone.
 * @throws {KeyStoreError} where the secret is of another kind, or for other hosts
 */
export function readPassword(name: string, secret: Secret, use: SecretUse): Secret {
  demandHost(name, secret, use)
  return readText(name, secret, 'password')
}

/**
 * The key of an HS* algorithm: the text itself, or the `key` of JSON `{ "key", "hosts" }`.
 * @throws {KeyStoreError} where the secret is of another kind
 */
export function readSharedKey(name: string, secret: Secret): Secret {
  return readText(name, secret, 'key')
}

/**
 * A secret whose text is JSON with `hosts` is for those hosts alone, whatever it holds.
 * @throws {KeyStoreError} naming element and host
 */
export function demandHost(name: string, secret: Secret, { element, host }: SecretUse): void {
  const { hosts } = membersOf(secret)
  if (hosts === undefined) return
  if (!Array.isArray(hosts) || !hosts.every((each) => typeof each === 'string' && isHostName(each)))
    throw new KeyStoreError(name, 'holds hosts that are not a list of names, such as ["as.example.com"].')
  if (!hosts.some((each) => canonicalHost(String(each)) === host))
    throw new KeyStoreError(
      name,
      `is not for ${host}, where ${element} would use it; correct the element, or add the host to the hosts of the secret.`,
    )
}

/**
 * The cache's secret and generated keys have one use each.
 * @throws {KeyStoreError}
 */
export function demandUnreserved(name: string): void {
  if (isReservedSecret(name))
    throw new KeyStoreError(name, "is Tokenwell's own, and can't be used as anything else; name another secret.")
}

function readText(name: string, secret: Secret, member: 'password' | 'key'): Secret {
  demandUnreserved(name)
  const members = membersOf(secret)
  const text = members[member]
  if (typeof text === 'string' && text !== '') return new Secret(text)
  if (members['hosts'] !== undefined)
    throw new KeyStoreError(name, `holds hosts without ${member}; it must be JSON { "${member}", "hosts" }.`)
  const kind = kindOf(secret, members)
  if (kind !== undefined)
    throw new KeyStoreError(name, `holds ${kind}, and is named where a ${member} is needed; name another secret.`)
  return oneLine(secret)
}

function membersOf(secret: Secret): JsonObject {
  const value = parseJson(unwrapBase64(secret.reveal()))
  return isJsonObject(value) ? value : {}
}

const telltaleMembers: Readonly<Record<string, string>> = {
  ...{ encryptionKeys: "the cache's keys", namingKey: "the cache's keys", seed: "the cache's keys" },
  ...{ kty: 'a key', keys: 'a key set', privateKey: 'a private key', private_key: 'a private key', pkcs12: 'PKCS#12' },
}

/** Of a secret that is no password, whatever its name; undefined where it could be one. */
function kindOf(secret: Secret, members: JsonObject): string | undefined {
  const member = Object.keys(telltaleMembers).find((each) => Object.hasOwn(members, each))
  if (member !== undefined) return telltaleMembers[member]
  const text = unwrapBase64(secret.reveal())
  return /-----BEGIN /.test(text) ? 'PEM' : kindOfBytes(text.replace(/\s+/g, ''))
}

function kindOfBytes(text: string): string | undefined {
  const bytes = /^[A-Za-z0-9+/_-]{16,}={0,2}$/.test(text) ? Buffer.from(text, 'base64') : Buffer.alloc(0)
  if (isDer(bytes)) return 'a key, a certificate or PKCS#12'
  if (isJks(bytes)) return 'a JKS key store'
  // So short a text that begins like one may be a password.
  return bytes[0] === derSequence && ['pkcs8', 'sec1', 'pkcs1'].some((type) => isKey(bytes, type)) ? 'a key' : undefined
}

const derSequence = 0x30

function isKey(key: Buffer, type: string): boolean {
  try {
    createPrivateKey({ key, format: 'der', type: type as 'pkcs8' })
    return true
  } catch {
    return false
  }
}
