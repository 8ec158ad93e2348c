import type { KeyObject, X509Certificate } from 'node:crypto'
import { isJsonObject, type JsonObject, parseJson } from '../base/decoding.ts'
import type { SignatureAlgorithm } from '../configuration/signature-algorithm.ts'
import { Secret } from '../secret/secret.ts'
import { keyAlgorithmMismatch } from './key-algorithm.ts'
import { describeJson, describeText } from './other-content.ts'
import { decodeBase64, decodeCertificate, type PemBlock, readCertificates, readPemBlocks, unwrapBase64 } from './pem.ts'
import { isForSigning, readPrivateJwk } from './private-jwk.ts'
import { decodeKeyBytes, decodePemKey } from './private-key.ts'
import { KeyStoreError, keyIdOf, type SigningKey, type Times } from './signing-key.ts'

/**
 * Reads the private keys of a signing secret, in their order: a JWK, a JWK set, a key file of Google, or a private key in PEM or
 * DER (PKCS#8, PKCS#1, SEC1; encrypted only with its passphrase beside it), alone or as `privateKey` of JSON
 * `{ privateKey, kid?, certificate?, passphrase? }`; each plain or in base64. A JWK may have times.
 * @throws {KeyStoreError} describing what was found
 */
export function readSigningKeys(location: string, secret: Secret): readonly SigningKey[] {
  const text = unwrapBase64(secret.reveal()).trim()
  if (text === '') throw new KeyStoreError(location, 'is empty; it must hold a private key.')
  if (text.startsWith('{')) return readObject(location, parseObject(location, text))
  if (text.startsWith('['))
    throw new KeyStoreError(location, 'begins with [; several keys stand in { "keys": [ ... ] }.')
  return [readKeyText(location, text, {})]
}

/** @param text begins with `{` */
function parseObject(location: string, text: string): JsonObject {
  const value = parseJson(text)
  if (isJsonObject(value)) return value
  throw new KeyStoreError(location, 'begins like JSON and is none; it must hold a JWK, a JWK set or PEM.')
}

function readObject(location: string, value: JsonObject): readonly SigningKey[] {
  // The members of a service account's key file of Google.
  const { private_key: googleKey, private_key_id: googleKeyId, ...others } = value
  const { keys, kty, privateKey = googleKey, kid = googleKeyId, certificate } = others
  const beside = { ...others, kid }
  if (Array.isArray(keys)) {
    if (certificate !== undefined)
      throw new KeyStoreError(location, 'holds a certificate beside a JWK set; put it into the x5c of its key.')
    return readSet(location, keys)
  }
  if (kty !== undefined) return [readJwk(location, value, beside)]
  if (typeof privateKey === 'string') return [readKeyText(location, unwrapBase64(privateKey).trim(), beside)]
  if (typeof privateKey === 'object' && privateKey !== null) return [readJwk(location, privateKey, beside)]
  throw new KeyStoreError(location, describeJson(value))
}

/** Keys that are marked for something else are passed over, unless there is no other. */
function readSet(location: string, keys: readonly unknown[]): readonly SigningKey[] {
  if (keys.length === 0) throw new KeyStoreError(location, 'holds a JWK set without keys.')
  const places = keys.map((key, index) => ({ key, place: keys.length > 1 ? ` (key ${index + 1} of the set)` : '' }))
  const signing = places.filter(({ key }) => !isJsonObject(key) || isForSigning(key))
  return (signing.length > 0 ? signing : places).map(({ key, place }) => readJwk(location, key, {}, place))
}

function readJwk(location: string, jwk: unknown, beside: JsonObject, place?: string): SigningKey {
  const { members, privateKey } = readPrivateJwk(location, jwk, place)
  const { kid, x5c, alg } = members
  const ders = Array.isArray(x5c)
    ? x5c.map((each) => decodeCertificate(location, Buffer.from(String(each), 'base64')))
    : []
  const certificates = certificatesBeside(location, beside) ?? ders
  const times = readTimes(location, members)
  return {
    ...signingKey(location, privateKey, beside['kid'] ?? kid, certificates),
    ...times,
    // Tokenwell marks the keys that it rotates, and goes by their type: the algorithm of a jwtBuilder may change.
    ...(typeof alg === 'string' && alg !== '' && times.signsFrom === undefined && { algorithm: alg }),
  }
}

/** PEM, DER in base64, or JSON of a JWK. */
function readKeyText(location: string, text: string, beside: JsonObject): SigningKey {
  if (text.startsWith('{')) return readJwk(location, parseObject(location, text), beside)
  if (text.includes('-----BEGIN ')) return readPem(location, text, beside)
  const bytes = decodeBase64(text)
  const privateKey = bytes && decodeKeyBytes(location, bytes, beside['passphrase'])
  if (!privateKey) throw new KeyStoreError(location, describeText(text, bytes))
  return signingKey(location, privateKey, beside['kid'], certificatesBeside(location, beside) ?? [])
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

  const privateKey = decodePemKey(location, block, beside['passphrase'])
  const inline = readCertificates(location, text)
  return signingKey(location, privateKey, beside['kid'], certificatesBeside(location, beside) ?? inline)
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
  if (typeof (kid ?? '') !== 'string')
    throw new KeyStoreError(
      location,
      'holds a key whose kid is no text; write it in quotation marks, as the server knows it.',
    )
  return { privateKey, keyId: kid ? String(kid) : keyIdOf(privateKey), certificates }
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
  const keys = secret && !isEmpty(secret.reveal()) ? readSigningKeys(location, secret) : []
  return keys.map(({ algorithm: _ownMark, ...key }) => key)
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
