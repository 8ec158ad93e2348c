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
 * Reads the private keys of a signing secret, in order. The secret holds a JWK, a JWK set, a key file of Google, or a private
 * key in PEM or DER (PKCS#8, PKCS#1, SEC1), each plain or in base64. JSON `{ privateKey, kid?, certificate?, passphrase? }` is
 * read too, and an encrypted key needs that form. A JWK may have times.
 * @throws {KeyStoreError} that describes what was found
 */
export function readSigningKeys(location: string, secret: Secret): readonly SigningKey[] {
  const text = unwrapBase64(secret.reveal()).trim()
  if (text === '') throw new KeyStoreError(location, 'is empty. Store a private key in it.')
  if (text.startsWith('{')) return readObject(location, parseObject(location, text))
  if (text.startsWith('['))
    throw new KeyStoreError(location, 'begins with [. Store several keys as { "keys": [ ... ] }.')
  return [readKeyText(location, text, {})]
}

/** @param text begins with `{` */
function parseObject(location: string, text: string): JsonObject {
  const value = parseJson(text)
  if (isJsonObject(value)) return value
  throw new KeyStoreError(location, 'begins like JSON but is not valid JSON. Store a JWK, a JWK set or PEM in it.')
}

function readObject(location: string, value: JsonObject): readonly SigningKey[] {
  // The names in a Google service account's key file.
  const { private_key: googleKey, private_key_id: googleKeyId, ...others } = value
  const { keys, kty, privateKey = googleKey, kid = googleKeyId, certificate } = others
  const beside = { ...others, kid }
  if (Array.isArray(keys)) {
    if (certificate !== undefined)
      throw new KeyStoreError(
        location,
        'holds a certificate beside a JWK set. Write the certificate into x5c of its key.',
      )
    return readSet(location, keys)
  }
  if (kty !== undefined) return [readJwk(location, value, beside)]
  if (typeof privateKey === 'string') return [readKeyText(location, unwrapBase64(privateKey).trim(), beside)]
  if (typeof privateKey === 'object' && privateKey !== null) return [readJwk(location, privateKey, beside)]
  throw new KeyStoreError(location, describeJson(value))
}

/** Skips keys that are not for signing. If there is no other key, they are read, and the error says why they can't sign. */
function readSet(location: string, keys: readonly unknown[]): readonly SigningKey[] {
  if (keys.length === 0)
    throw new KeyStoreError(location, 'holds a JWK set without keys. Store at least one key in it.')
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
    // A key that Tokenwell rotates keeps its alg when the jwtBuilder's algorithm changes, so only its type decides.
    ...(typeof alg === 'string' && alg !== '' && times.signsFrom === undefined && { algorithm: alg }),
  }
}

/** Reads PEM, DER in base64, or a JWK as JSON. */
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
  const found = describeBlocks(blocks)
  if (!block) throw new KeyStoreError(location, `holds ${found}. Store a private key in it.`)
  if (second)
    throw new KeyStoreError(
      location,
      'holds more than one PEM private key. Store several keys as a JWK set, each with its kid.',
    )

  const privateKey = decodePemKey(location, block, beside['passphrase'])
  const inline = readCertificates(location, text)
  return signingKey(location, privateKey, beside['kid'], certificatesBeside(location, beside) ?? inline)
}

function certificatesBeside(location: string, { certificate }: JsonObject): X509Certificate[] | undefined {
  if (certificate === undefined) return undefined
  if (typeof certificate !== 'string')
    throw new KeyStoreError(location, 'holds a certificate that is not a text. Write it as PEM, or as DER in base64.')
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
    throw new KeyStoreError(
      location,
      'holds a certificate that does not belong to its private key. Store the certificate of that key.',
    )
  if (typeof (kid ?? '') !== 'string')
    throw new KeyStoreError(
      location,
      'holds a key whose kid is not a text. Write the kid that the server knows, in quotation marks.',
    )
  return { privateKey, keyId: kid ? String(kid) : keyIdOf(privateKey), certificates }
}

function describeBlocks(blocks: readonly PemBlock[]): string {
  if (blocks.length === 0) return 'an incomplete PEM text'
  return `PEM with the label ${[...new Set(blocks.map(({ label }) => label))].join(' and ')}`
}

/** The last second of the year 9999. A larger number is probably in milliseconds. */
const latestSeconds = 253_402_300_799

/**
 * Reads the optional `signsFrom` and `signsUntil` of a JWK: seconds since the epoch in the JWK, milliseconds in the result.
 * @throws {KeyStoreError} that names the member that is not a time
 */
function readTimes(location: string, { signsFrom, signsUntil }: JsonObject): Times {
  if (signsFrom === undefined && signsUntil !== undefined)
    throw new KeyStoreError(location, 'holds a key that has signsUntil but no signsFrom. Add signsFrom.')
  return {
    ...(signsFrom !== undefined && { signsFrom: milliseconds(location, 'signsFrom', signsFrom) }),
    ...(signsUntil !== undefined && { signsUntil: milliseconds(location, 'signsUntil', signsUntil) }),
  }
}

function milliseconds(location: string, member: keyof Times, seconds: unknown): number {
  if (typeof seconds === 'number' && seconds >= 0 && seconds <= latestSeconds) return seconds * 1000
  throw new KeyStoreError(
    location,
    `holds a key whose ${member} is not a time. Write it as seconds since the epoch, such as 1795539999.`,
  )
}

/**
 * Reads the keys of a secret that Tokenwell rotates. Before the first rotation the secret has no text, or the
 * `{ "keys": [] }` of the stack, and so no keys.
 * @throws {KeyStoreError} when it holds anything else: Tokenwell never overwrites that
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
 * Writes the text of a secret that Tokenwell rotates: a private JWK set that `readGeneratedKeys` can read.
 * @param replaces the version of the secret that the text was made from
 * @param former the text of that version. What a later version of Tokenwell has added to the set stays
 */
export function writeKeySet(
  keys: readonly SigningKey[],
  algorithm: SignatureAlgorithm,
  replaces: string | undefined,
  former?: Secret,
): Secret {
  const set = { keys: keys.map((key) => writeKey(key, algorithm)), replaces }
  return new Secret(JSON.stringify({ ...addedToSet(former), ...set }))
}

function addedToSet(former: Secret | undefined): object {
  const value = former && parseJson(former.reveal())
  if (!isJsonObject(value) || !Array.isArray(value['keys'])) return {}
  const { keys: _keys, replaces: _replaces, ...added } = value
  return added
}

/** The version of the secret that the text was made from. Undefined if the text doesn't say: it was the secret's first. */
export function readReplaces(keySet: Secret): string | undefined {
  const value = parseJson(keySet.reveal())
  const replaces = isJsonObject(value) ? value['replaces'] : undefined
  return typeof replaces === 'string' ? replaces : undefined
}

function writeKey({ privateKey, keyId, certificates, signsFrom, signsUntil }: SigningKey, alg: SignatureAlgorithm) {
  return {
    ...privateKey.export({ format: 'jwk' }),
    ...{ kid: keyId, use: 'sig' },
    // A key that no longer signs may be for an earlier algorithm of the jwtBuilder.
    ...(keyAlgorithmMismatch(privateKey, alg) === undefined && { alg }),
    ...(certificates.length > 0 && { x5c: certificates.map(({ raw }) => raw.toString('base64')) }),
    ...(signsFrom !== undefined && { signsFrom: signsFrom / 1000 }),
    ...(signsUntil !== undefined && { signsUntil: signsUntil / 1000 }),
  }
}
