import { createPublicKey, X509Certificate } from 'node:crypto'
import { isJsonObject, type JsonObject } from '../base/decoding.ts'
import { isJks } from '../secret/secret.ts'
import { decodeBase64, sequenceContent } from './pem.ts'

/*
 * What a signing secret holds that is no private key in a form that is read, and how it becomes one. Nothing of it is quoted, and of the
 * names of members only those that people give to keys.
 */

/**
 * Completes "The secret …" for a text that is neither PEM nor JSON.
 * @param bytes what its base64 holds, where it is base64
 */
export function describeText(text: string, bytes: Buffer | undefined): string {
  const found = texts.find(([form]) => form.test(text))?.[1] ?? (bytes && describeBytes(bytes))
  return found
    ? `holds ${found}`
    : `holds ${text.length} characters that are neither PEM nor JSON nor either in base64, nor DER; it must hold a private key.`
}

const texts: readonly (readonly [RegExp, string])[] = [
  [
    /^PuTTY-User-Key-File-/,
    'a PuTTY key (.ppk); convert it: puttygen <file> -O private-openssh -o <new file>, and store what that writes.',
  ],
  [/^(ssh-|ecdsa-sha2-)\S+ /, 'an SSH public key; it must hold the private one.'],
  [/^arn:/, 'an ARN, the name of something else; store the private key itself.'],
]

const fromPkcs12 = (bytes: Buffer) =>
  `openssl pkcs12 ${bytes.includes(rc2OfPkcs12) ? '-legacy ' : ''}-in <file> -nodes -out <new file>`
const rc2OfPkcs12 = Buffer.from('2a864886f70d010c0106', 'hex')

function describeBytes(bytes: Buffer): string | undefined {
  // RFC 7292 section 4: version 3 comes first.
  if (sequenceContent(bytes).startsWith('020103'))
    return `PKCS#12; convert it: ${fromPkcs12(bytes)}, and store what that writes.`
  if (isJks(bytes))
    return `a Java key store (JKS); convert it: keytool -importkeystore -srckeystore <file> -destkeystore <new file> -deststoretype pkcs12, then ${fromPkcs12(bytes)}, and store what that writes.`
  if (succeeds(() => new X509Certificate(bytes))) return 'a certificate in DER; it must hold a private key.'
  if (succeeds(() => createPublicKey({ key: bytes, format: 'der', type: 'spki' })))
    return 'a public key in DER; it must hold the private one.'
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
  if (!found)
    return `holds JSON with ${Object.keys(value).length} members, and none of them is kty, keys or privateKey.`
  const place = found.path.map((name) => (isNameOfKey(name) ? name : '<another member>')).join('.')
  return found.what
    ? `holds ${found.what}`
    : `holds a private key in ${place}; store JSON with that as privateKey, and its id, where the server knows one, as kid, its passphrase as passphrase.`
}

interface FoundKey {
  readonly path: readonly string[]
  /** A sentence on what must be converted first. */
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
  // PKCS#8, PKCS#1 or SEC1: a version comes first, and a sequence, a number or the bytes of the key follow.
  return bytes && /^02010[01](30|02|04)/.test(sequenceContent(bytes)) ? { path } : undefined
}

function isNameOfKey(name: string): boolean {
  return /^[a-z][\w-]{0,31}$/i.test(name) && /key|pem|cert|auth|settings|jwk|private|config/i.test(name)
}
