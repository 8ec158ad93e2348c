import { createPublicKey, X509Certificate } from 'node:crypto'
import { isJsonObject, type JsonObject } from '../base/decoding.ts'
import { isJks } from '../secret/secret.ts'
import { decodeBase64, sequenceContent } from './pem.ts'

/*
 * Describes the content of a signing secret that is not a private key in a supported form, and how to convert it. Values are
 * never quoted. Names of members are quoted only if people use such names for keys.
 */

/**
 * Completes "The secret …" for a text that is neither PEM nor JSON.
 * @param bytes the decoded text, if it is base64
 */
export function describeText(text: string, bytes: Buffer | undefined): string {
  const found = texts.find(([form]) => form.test(text))?.[1] ?? (bytes && describeBytes(bytes))
  return found
    ? `holds ${found}`
    : `holds ${text.length} characters that are neither PEM nor JSON nor DER, plain or in base64. Store a private key in it.`
}

const texts: readonly (readonly [RegExp, string])[] = [
  [
    /^PuTTY-User-Key-File-/,
    'a PuTTY key (.ppk). Convert it and store the new file: puttygen <file> -O private-openssh -o <new file>',
  ],
  [/^(ssh-|ecdsa-sha2-)\S+ /, 'an SSH public key. Store the private key instead.'],
  [/^arn:/, 'an ARN instead of a key. Store the private key itself.'],
]

const fromPkcs12 = (bytes: Buffer) =>
  `openssl pkcs12 ${bytes.includes(rc2OfPkcs12) ? '-legacy ' : ''}-in <file> -nodes -out <new file>`
const rc2OfPkcs12 = Buffer.from('2a864886f70d010c0106', 'hex')

function describeBytes(bytes: Buffer): string | undefined {
  const conversion = fromPkcs12(bytes)
  // RFC 7292 section 4: PKCS#12 begins with version 3.
  if (sequenceContent(bytes).startsWith('020103'))
    return `a PKCS#12 key store. Convert it and store the new file: ${conversion}`
  if (isJks(bytes))
    return `a Java key store (JKS). Convert it with two commands and store the last file: keytool -importkeystore -srckeystore <file> -destkeystore <new file> -deststoretype pkcs12, then ${conversion}`
  if (succeeds(() => new X509Certificate(bytes))) return 'a certificate in DER. Store its private key instead.'
  if (succeeds(() => createPublicKey({ key: bytes, format: 'der', type: 'spki' })))
    return 'a public key in DER. Store the private key instead.'
  return undefined
}

function succeeds(read: () => unknown): boolean {
  try {
    read()
    return true
  } catch {
    return false
  }
}

/** Completes "The secret …" for JSON without kty, keys and privateKey. */
export function describeJson(value: JsonObject): string {
  const found = findKey(value)
  const memberCount = Object.keys(value).length
  if (!found)
    return `holds JSON with ${memberCount} members, but without kty, keys and privateKey. Store a JWK, a JWK set or JSON with privateKey.`
  const place = found.path.map((name) => (isNameOfKey(name) ? name : '<another member>')).join('.')
  return found.what
    ? `holds ${found.what}`
    : `holds a private key in ${place}. Store JSON with the key as privateKey, the id that the server knows (if any) as kid, and the passphrase (if any) as passphrase.`
}

interface FoundKey {
  readonly path: readonly string[]
  /** Present if the key must be converted first: completes "holds …". */
  readonly what?: string | undefined
}

const deepestMember = 5

/** The first member that holds a key in some form. */
function findKey(value: JsonObject, path: readonly string[] = []): FoundKey | undefined {
  for (const [name, member] of Object.entries(value)) {
    const here = [...path, name]
    const found = typeof member === 'string' ? keyIn(member, here) : undefined
    if (found) return found
    if (!isJsonObject(member) || here.length > deepestMember) continue
    if (('kty' in member && 'd' in member) || Array.isArray(member['keys'])) return { path: here }
    const inside = findKey(member, here)
    if (inside) return inside
  }
  return undefined
}

function keyIn(text: string, path: readonly string[]): FoundKey | undefined {
  const bytes = decodeBase64(text)
  const content = bytes ? String(bytes) : text
  if (/PRIVATE KEY-----/.test(text) || /PRIVATE KEY-----|"kty"/.test(content)) return { path }
  const what = bytes && describeBytes(bytes)
  if (what) return { path, what }
  // PKCS#8, PKCS#1 and SEC1 begin with a version. A sequence, a number or the bytes of the key follow.
  return bytes && /^02010[01](30|02|04)/.test(sequenceContent(bytes)) ? { path } : undefined
}

function isNameOfKey(name: string): boolean {
  return /^[a-z][\w-]{0,31}$/i.test(name) && /key|pem|cert|auth|settings|jwk|private|config/i.test(name)
}
