import { createPrivateKey } from 'node:crypto'
import { isJsonObject, type JsonObject, parseJson } from '../base/decoding.ts'
import { isReservedSecret } from '../configuration/deployment.ts'
import { canonicalHost, hasControlCharacter, isHeaderValue, isHostName } from '../configuration/value-syntax.ts'
import { isDer, isJks, oneLine, Secret } from '../secret/secret.ts'
import { unwrapBase64 } from './pem.ts'
import { KeyStoreError } from './signing-key.ts'

/** Where a secret is sent, or where it authenticates Tokenwell. */
export interface SecretUse {
  /** The element that names the host, such as `authorizationServer/theServer`. */
  readonly element: string
  /** In the form of a URL's `hostname`. Absent if the elements don't name the host. */
  readonly host?: string
}

/**
 * A password: the text itself, or the `password` of JSON `{ "password", "hosts"?, "expiresAt"? }`, which is sent only to those hosts.
 * @throws {KeyStoreError} if the secret is of another kind, or for other hosts
 */
export function readPassword(name: string, secret: Secret, use: SecretUse): Secret {
  demandHost(name, secret, use)
  return readText(name, secret, 'password')
}

/**
 * A password of basic authentication to an API, in the forms of `readPassword`.
 * @throws {KeyStoreError} also if it has a control character (RFC 7617 section 2)
 */
export function readBasicPassword(name: string, secret: Secret, use: SecretUse): Secret {
  const password = readPassword(name, secret, use)
  if (hasControlCharacter(password.reveal()))
    throw new KeyStoreError(
      name,
      'holds a password with a line break or another control character, which basic authentication cannot send (RFC 7617). Store the password alone.',
    )
  return password
}

/**
 * The value of a header: the text itself, or the `value` of JSON `{ "value", "hosts"?, "expiresAt"? }`, which is sent only to those hosts.
 * @throws {KeyStoreError} if the secret is of another kind, for other hosts, or can't be sent in a header
 */
export function readHeaderValue(name: string, secret: Secret, use: SecretUse): Secret {
  demandHost(name, secret, use)
  const value = readText(name, secret, 'value')
  demandHeaderValue(name, value)
  return value
}

/** @throws {KeyStoreError} if the value can't be sent in a header */
export function demandHeaderValue(name: string, value: Secret): void {
  if (!isHeaderValue(value.reveal()))
    throw new KeyStoreError(
      name,
      'holds a text that a header cannot have. Store printable ASCII without line breaks, and without blanks at its ends.',
    )
}

/**
 * The key of an HS* algorithm: the text itself, or the `key` of JSON `{ "key", "hosts"?, "expiresAt"? }`.
 * @throws {KeyStoreError} if the secret is of another kind
 */
export function readSharedKey(name: string, secret: Secret): Secret {
  return readText(name, secret, 'key')
}

/**
 * Refuses a host that the secret does not list. Any secret that is JSON with `hosts` is only for those hosts.
 * @throws {KeyStoreError} that names element and host
 */
export function demandHost(name: string, secret: Secret, { element, host }: SecretUse): void {
  const { hosts } = membersOf(secret)
  if (hosts === undefined) return
  if (!Array.isArray(hosts) || !hosts.every((each) => typeof each === 'string' && isHostName(each)))
    throw new KeyStoreError(
      name,
      'holds hosts that are not a list of host names. Write a list such as ["as.example.com"].',
    )
  if (host === undefined)
    throw new KeyStoreError(
      name,
      `is only for the hosts that it lists, but ${element} does not say which host gets what it signs. Set host of that element, or take hosts out of the secret.`,
    )
  if (!hosts.some((each) => canonicalHost(String(each)) === host))
    throw new KeyStoreError(
      name,
      `is not allowed for ${host}, the host of ${element}. Correct the element, or add the host to hosts in the secret.`,
    )
}

/** What a secret says about its own end: nothing, something that is not a date, or a time in milliseconds since the epoch. */
export type StatedExpiry =
  | { readonly kind: 'none' }
  | { readonly kind: 'unreadable' }
  | { readonly kind: 'date'; readonly expiresAt: number }

/**
 * The `expiresAt` of any secret that is JSON: a date, which means its beginning in UTC, or a date with a time and its zone (RFC 3339).
 * Never throws: a date that can't be read keeps no request from being made.
 */
export function readExpiresAt(secret: Secret): StatedExpiry {
  const { expiresAt: text } = membersOf(secret)
  if (text === undefined) return { kind: 'none' }
  const [, day] = (typeof text === 'string' && dateForm.exec(text)) || []
  if (day === undefined) return { kind: 'unreadable' }
  const [expiresAt, midnight] = [Date.parse(String(text)), Date.parse(`${day}T00:00Z`)]
  // Date.parse takes 30 February for 2 March.
  const isDay = !Number.isNaN(midnight) && new Date(midnight).toISOString().startsWith(`${day}T`)
  return isDay && !Number.isNaN(expiresAt) ? { kind: 'date', expiresAt } : { kind: 'unreadable' }
}

const dateForm = /^(\d{4}-\d\d-\d\d)(?:[Tt]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:\d\d))?$/

/**
 * Refuses the names of the cache's secret and of generated keys: each has only one use.
 * @throws {KeyStoreError}
 */
export function demandUnreserved(name: string): void {
  if (isReservedSecret(name)) throw new KeyStoreError(name, 'is reserved for Tokenwell. Name another secret.')
}

function readText(name: string, secret: Secret, member: 'password' | 'key' | 'value'): Secret {
  demandUnreserved(name)
  const members = membersOf(secret)
  const text = members[member]
  if (typeof text === 'string' && text !== '') return new Secret(text)
  const beside = ['hosts', 'expiresAt'].find((each) => members[each] !== undefined)
  if (beside !== undefined)
    throw new KeyStoreError(name, `holds ${beside} without ${member}. Store JSON { "${member}", "${beside}" }.`)
  const kind = kindOf(secret, members)
  if (kind !== undefined)
    throw new KeyStoreError(name, `holds ${kind}, but the element needs a ${member}. Name another secret.`)
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

/** What the secret holds instead of a password. Undefined if it can be a password. */
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
  // A short text that begins like a sequence may still be a password.
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
