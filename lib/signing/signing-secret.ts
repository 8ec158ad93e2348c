import {
  createPrivateKey,
  createPublicKey,
  type JsonWebKeyInput,
  type KeyObject,
  sign,
  verify,
  type X509Certificate,
} from 'node:crypto'
import { isJsonObject, type JsonObject, parseJson } from '../base/decoding.ts'
import type { SignatureAlgorithm } from '../configuration/signature-algorithm.ts'
import { Secret } from '../secret/secret.ts'
import { keyAlgorithmMismatch } from './key-algorithm.ts'
import { decodeCertificate, type PemBlock, readCertificates, readPemBlocks, unwrapBase64 } from './pem.ts'
import { KeyStoreError, keyIdOf, type SigningKey, type Times } from './signing-key.ts'

/**
 * Reads the private keys of a signing secret, in their order: a JWK, a JWK set, PEM (PKCS#8, PKCS#1, SEC1; encrypted only
 * with its passphrase beside it), or JSON `{ privateKey, kid?, certificate?, passphrase? }`; each plain or base64-wrapped. A
 * JWK may have times.
 * @throws {KeyStoreError} describing what was found
 */
export function readSigningKeys(location: string, secret: Secret): readonly SigningKey[] {
  const text = unwrapBase64(secret.reveal()).trim()
  if (text === '') throw new KeyStoreError(location, 'is empty; it must hold a private key.')
  if (text.startsWith('{')) return readObject(location, parseObject(location, text))
  if (text.startsWith('['))
    throw new KeyStoreError(location, 'begins with [; several keys stand in { "keys": [ ... ] }.')
  if (text.includes('-----BEGIN ')) return [readPem(location, text, {})]
  throw new KeyStoreError(
    location,
    `holds ${text.length} characters that are neither PEM nor JSON nor either in base64; it must hold a private key.`,
  )
}

/** @param text begins with `{` */
function parseObject(location: string, text: string): JsonObject {
  const value = parseJson(text)
  if (isJsonObject(value)) return value
  throw new KeyStoreError(location, 'begins like JSON and is none; it must hold a JWK, a JWK set or PEM.')
}

function readObject(location: string, value: JsonObject): readonly SigningKey[] {
  const { keys, kty, privateKey, certificate } = value
  if (Array.isArray(keys)) {
    if (keys.length === 0) throw new KeyStoreError(location, 'holds a JWK set without keys.')
    if (certificate !== undefined)
      throw new KeyStoreError(location, 'holds a certificate beside a JWK set; put it into the x5c of its key.')
    return keys.map((key) => readJwk(location, key, {}))
  }
  if (kty !== undefined) return [readJwk(location, value, value)]
  if (typeof privateKey === 'string') return [readPrivateKeyText(location, unwrapBase64(privateKey).trim(), value)]
  if (typeof privateKey === 'object' && privateKey !== null) return [readJwk(location, privateKey, value)]
  throw new KeyStoreError(
    location,
    `holds JSON with ${Object.keys(value).length} members, and none of them is kty, keys or privateKey.`,
  )
}

function readPrivateKeyText(location: string, text: string, beside: JsonObject): SigningKey {
  return text.startsWith('{') ? readJwk(location, parseObject(location, text), beside) : readPem(location, text, beside)
}

function readJwk(location: string, jwk: unknown, beside: JsonObject): SigningKey {
  const members = isJsonObject(jwk) ? jwk : {}
  const { kty, d, x, kid, x5c } = members
  if (kty === 'oct')
    throw new KeyStoreError(location, 'holds a symmetric JWK; name a plain secret in sharedKey for HS* algorithms.')
  if (typeof d !== 'string')
    throw new KeyStoreError(location, 'holds a JWK without d, a public key; it must hold the private one.')

  const privateKey = attempt(location, 'a JWK that', () =>
    createPrivateKey({ key: jwk, format: 'jwk' } as JsonWebKeyInput),
  )
  if (!isWhole(privateKey, x))
    throw new KeyStoreError(location, 'holds a JWK whose private and public halves belong to different keys.')
  const ders = Array.isArray(x5c)
    ? x5c.map((each) => decodeCertificate(location, Buffer.from(String(each), 'base64')))
    : []
  const certificates = certificatesBeside(location, beside) ?? ders
  return {
    ...signingKey(location, privateKey, beside['kid'] ?? kid, certificates),
    ...readTimes(location, members),
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

function readPem(location: string, text: string, beside: JsonObject): SigningKey {
  const blocks = readPemBlocks(text)
  const [block, second] = blocks.filter(({ label }) => label.endsWith('PRIVATE KEY'))
  if (!block) throw new KeyStoreError(location, `holds ${describeBlocks(blocks)}; it must hold a private key.`)
  if (second)
    throw new KeyStoreError(
      location,
      'holds more than one PEM private key; put several keys into a JWK set, each with its kid.',
    )

  const privateKey = readPrivateKey(location, block, beside['passphrase'])
  const inline = readCertificates(location, text)
  return signingKey(location, privateKey, beside['kid'], certificatesBeside(location, beside) ?? inline)
}

function readPrivateKey(location: string, { label, text }: PemBlock, passphrase: unknown): KeyObject {
  if (label === 'OPENSSH PRIVATE KEY')
    throw new KeyStoreError(location, 'holds an OpenSSH private key; convert it to PKCS#8 (ssh-keygen -p -m PKCS8).')

  const isEncrypted = label === 'ENCRYPTED PRIVATE KEY' || text.includes('Proc-Type: 4,ENCRYPTED')
  if (isEncrypted && typeof passphrase !== 'string')
    throw new KeyStoreError(
      location,
      'holds an encrypted PEM private key without its passphrase; store JSON with privateKey and passphrase.',
    )
  const found = isEncrypted ? 'an encrypted PEM and perhaps the wrong passphrase for it: it' : `a PEM ${label} that`
  return attempt(location, found, () =>
    createPrivateKey({ key: text, format: 'pem', ...(typeof passphrase === 'string' && { passphrase }) }),
  )
}

function certificatesBeside(location: string, { certificate }: JsonObject): X509Certificate[] | undefined {
  if (certificate === undefined) return undefined
  if (typeof certificate !== 'string')
    throw new KeyStoreError(location, 'holds a certificate that is no text; it must be PEM, or DER in base64.')
  const certificates = readCertificates(location, unwrapBase64(certificate))
  return certificates.length > 0 ? certificates : [decodeCertificate(location, Buffer.from(certificate, 'base64'))]
}

function signingKey(
  location: string,
  privateKey: KeyObject,
  kid: unknown,
  certificates: readonly X509Certificate[],
): SigningKey {
  if (certificates[0] && !certificates[0].checkPrivateKey(privateKey))
    throw new KeyStoreError(location, 'holds a certificate of another key than its private key.')
  return { privateKey, keyId: typeof kid === 'string' && kid !== '' ? kid : keyIdOf(privateKey), certificates }
}

/** Drops the error of node:crypto, which may quote its input. */
function attempt<T>(location: string, found: string, read: () => T): T {
  try {
    return read()
  } catch {
    throw new KeyStoreError(location, `holds ${found} can't be read; check that it was stored whole.`)
  }
}

function describeBlocks(blocks: readonly PemBlock[]): string {
  if (blocks.length === 0) return 'a PEM text that is cut off'
  return `PEM of the kind ${[...new Set(blocks.map(({ label }) => label))].join(' and ')}`
}

/** The last second of the year 9999. A larger number was written in milliseconds. */
const latestSeconds = 253_402_300_799

/**
 * Reads `signsFrom` and `signsUntil` of a JWK, both optional: seconds since the epoch there, milliseconds here.
 * @throws {KeyStoreError} naming the member that is not a time
 */
function readTimes(location: string, { signsFrom, signsUntil }: JsonObject): Times {
  if (signsFrom === undefined && signsUntil !== undefined)
    throw new KeyStoreError(location, 'holds a key with signsUntil and without signsFrom; it needs signsFrom, too.')
  return {
    ...(signsFrom !== undefined && { signsFrom: milliseconds(location, 'signsFrom', signsFrom) }),
    ...(signsUntil !== undefined && { signsUntil: milliseconds(location, 'signsUntil', signsUntil) }),
  }
}

function milliseconds(location: string, member: keyof Times, seconds: unknown): number {
  if (typeof seconds === 'number' && seconds >= 0 && seconds <= latestSeconds) return seconds * 1000
  throw new KeyStoreError(
    location,
    `holds a key whose ${member} is no number of seconds since the epoch, such as 1795539999.`,
  )
}

/**
 * Reads the keys of a secret that Tokenwell rotates. Before its first rotation it has no text, or the stack's
 * `{ "keys": [] }`, and so no keys.
 * @throws {KeyStoreError} when it holds anything else: that is never overwritten
 */
export function readGeneratedKeys(location: string, secret: Secret | undefined): readonly SigningKey[] {
  return secret && !isEmpty(secret.reveal()) ? readSigningKeys(location, secret) : []
}

function isEmpty(text: string): boolean {
  if (text.trim() === '') return true
  const value = parseJson(text)
  if (!isJsonObject(value)) return false
  const { keys = [], kty, privateKey } = value
  return kty === undefined && privateKey === undefined && Array.isArray(keys) && keys.length === 0
}

/**
 * Writes the text of a secret that Tokenwell rotates: a private JWK set, as `readGeneratedKeys` reads it.
 * @param replaces the version of the secret that the text was made from
 */
export function writeKeySet(
  keys: readonly SigningKey[],
  algorithm: SignatureAlgorithm,
  replaces: string | undefined,
): Secret {
  return new Secret(JSON.stringify({ keys: keys.map((key) => writeKey(key, algorithm)), replaces }))
}

/** The version of the secret that the text was made from. Undefined where the text doesn't say: it was the secret's first. */
export function readReplaces(keySet: Secret): string | undefined {
  const value = parseJson(keySet.reveal())
  const replaces = isJsonObject(value) ? value['replaces'] : undefined
  return typeof replaces === 'string' ? replaces : undefined
}

function writeKey({ privateKey, keyId, certificates, signsFrom, signsUntil }: SigningKey, alg: SignatureAlgorithm) {
  return {
    ...privateKey.export({ format: 'jwk' }),
    ...{ kid: keyId, use: 'sig' },
    // A key that no longer signs may be of another algorithm.
    ...(keyAlgorithmMismatch(privateKey, alg) === undefined && { alg }),
    ...(certificates.length > 0 && { x5c: certificates.map(({ raw }) => raw.toString('base64')) }),
    ...(signsFrom !== undefined && { signsFrom: signsFrom / 1000 }),
    ...(signsUntil !== undefined && { signsUntil: signsUntil / 1000 }),
  }
}
