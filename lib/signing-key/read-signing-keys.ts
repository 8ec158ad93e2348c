import { createPrivateKey, type JsonWebKeyInput, type KeyObject, X509Certificate } from 'node:crypto'
import type { Secret } from '../secret/secret.ts'
import { keyIdOf } from './key-id.ts'
import { KeyStoreError } from './key-store-error.ts'
import { type PemBlock, readPemBlocks } from './pem.ts'
import type { SigningKey } from './signing-key.ts'

/**
 * The private keys of a signing secret, in their order: a JWK, a JWK set, PEM (PKCS#8, PKCS#1, SEC1; encrypted only with
 * its passphrase beside it), or JSON `{ privateKey, kid?, certificate?, passphrase? }`; each plain or base64-wrapped.
 * @throws {KeyStoreError} naming what was found
 */
export function readSigningKeys(location: string, secret: Secret): readonly SigningKey[] {
  return readText(location, unwrapBase64(secret.reveal()).trim())
}

function readText(location: string, text: string): readonly SigningKey[] {
  if (text === '') throw new KeyStoreError(location, 'is empty; it must hold a private key.')
  if (text.startsWith('{')) return readObject(location, parseObject(location, text))
  if (text.includes('-----BEGIN ')) return [readPem(location, { privateKey: text })]
  throw new KeyStoreError(
    location,
    `holds ${text.length} characters that are neither PEM nor JSON nor either in base64; it must hold a private key.`,
  )
}

/** Text that is one piece of base64 and holds PEM or JSON was wrapped on its way into the secret. */
function unwrapBase64(text: string): string {
  const packed = text.replace(/\s+/g, '')
  if (!/^[A-Za-z0-9+/_-]{16,}={0,2}$/.test(packed)) return text
  const unwrapped = Buffer.from(packed, 'base64').toString('utf8')
  return /^\s*(\{|-----BEGIN )/.test(unwrapped) ? unwrapped : text
}

function parseObject(location: string, text: string): Record<string, unknown> {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own message quotes the text.
    throw new KeyStoreError(location, 'begins like JSON and is none; it must hold a JWK, a JWK set or PEM.')
  }
}

function readObject(location: string, value: Record<string, unknown>): readonly SigningKey[] {
  const { keys, kty, privateKey } = value
  if (Array.isArray(keys)) {
    if (keys.length === 0) throw new KeyStoreError(location, 'holds a JWK set without keys.')
    return keys.map((key) => readJwk(location, key))
  }
  if (kty !== undefined) return [readJwk(location, value)]
  if (typeof privateKey === 'object' && privateKey !== null)
    return [readJwk(location, { ...(value['kid'] !== undefined && { kid: value['kid'] }), ...privateKey }, value)]
  if (typeof privateKey === 'string') return [readPem(location, { ...value, privateKey: unwrapBase64(privateKey) })]
  throw new KeyStoreError(
    location,
    `holds JSON with ${describeMembers(value)}; it must be a JWK, a JWK set, or have the member privateKey.`,
  )
}

function readJwk(location: string, jwk: unknown, beside?: Record<string, unknown>): SigningKey {
  const { kty, d, kid, x5c } = (typeof jwk === 'object' && jwk !== null ? jwk : {}) as Record<string, unknown>
  if (kty === 'oct')
    throw new KeyStoreError(location, 'holds a symmetric JWK; name a plain secret in sharedKey for HS* algorithms.')
  if (typeof d !== 'string')
    throw new KeyStoreError(location, 'holds a JWK without d, a public key; it must hold the private one.')

  const privateKey = attempt(location, 'a JWK', () => createPrivateKey({ key: jwk, format: 'jwk' } as JsonWebKeyInput))
  const ownCertificate = Array.isArray(x5c) && typeof x5c[0] === 'string' ? x5c[0] : undefined
  const certificate = readCertificate(location, privateKey, beside?.['certificate'] ?? ownCertificate)
  return signingKey(privateKey, kid, certificate)
}

function readPem(location: string, value: Record<string, unknown> & { privateKey: string }): SigningKey {
  const { kid, certificate, passphrase } = value
  const blocks = readPemBlocks(value.privateKey)
  const [block, second] = blocks.filter(({ label }) => label.endsWith('PRIVATE KEY'))
  if (!block) throw new KeyStoreError(location, `holds ${describeBlocks(blocks)}; it must hold a private key.`)
  if (second)
    throw new KeyStoreError(
      location,
      'holds more than one PEM private key; put several keys into a JWK set, each with its kid.',
    )

  const privateKey = readPrivateKey(location, block, passphrase)
  const inline = blocks.find(({ label }) => label === 'CERTIFICATE')?.text
  return signingKey(privateKey, kid, readCertificate(location, privateKey, certificate ?? inline))
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
  return attempt(
    location,
    isEncrypted ? 'an encrypted PEM, with a passphrase that may be wrong,' : `a PEM ${label}`,
    () => createPrivateKey({ key: text, format: 'pem', ...(typeof passphrase === 'string' && { passphrase }) }),
  )
}

function readCertificate(location: string, privateKey: KeyObject, certificate: unknown): X509Certificate | undefined {
  if (typeof certificate !== 'string') return undefined
  const pem = readPemBlocks(unwrapBase64(certificate))[0]?.text ?? Buffer.from(certificate, 'base64')
  const read = attempt(location, 'a certificate', () => new X509Certificate(pem))
  if (!read.checkPrivateKey(privateKey))
    throw new KeyStoreError(location, 'holds a certificate of another key than its private key.')
  return read
}

function signingKey(privateKey: KeyObject, kid: unknown, certificate: X509Certificate | undefined): SigningKey {
  const keyId = typeof kid === 'string' && kid !== '' ? kid : keyIdOf(privateKey)
  return { privateKey, keyId, ...(certificate && { certificate }) }
}

/** The reason of node:crypto is dropped: it may quote its input. */
function attempt<T>(location: string, found: string, read: () => T): T {
  try {
    return read()
  } catch {
    throw new KeyStoreError(location, `holds ${found} that can't be read; check that it was stored whole.`)
  }
}

function describeBlocks(blocks: readonly PemBlock[]): string {
  if (blocks.length === 0) return 'a PEM text that is cut off'
  return `PEM of the kind ${[...new Set(blocks.map(({ label }) => label))].join(' and ')}`
}

function describeMembers(value: Record<string, unknown>): string {
  const names = Object.keys(value).filter((name) => /^[A-Za-z_]{1,32}$/.test(name))
  return names.length > 0 ? `the members ${names.slice(0, 8).join(', ')}` : 'no member that has a meaning here'
}
