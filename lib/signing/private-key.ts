import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { bytesOfPem, type PemBlock, pemOf, sequenceContent } from './pem.ts'
import { KeyStoreError } from './signing-key.ts'

/**
 * The key of one PEM block. If the label is wrong, the bytes decide.
 * @param passphrase the member beside the key, not checked yet
 * @throws {KeyStoreError}
 */
export function decodePemKey(location: string, { label, text }: PemBlock, passphrase: unknown): KeyObject {
  const bytes = bytesOfPem(text)
  if (label === 'OPENSSH PRIVATE KEY') return decodeOpenSshKey(location, bytes)
  if (text.includes('Proc-Type: 4,ENCRYPTED')) return decrypt(location, { pem: text, form: 'PEM', passphrase })
  if (label === encryptedLabel || isEncryptedDer(bytes))
    return decrypt(location, { pem: pemOf(encryptedLabel, bytes), form: 'PEM', passphrase })
  const key = tryKey(() => createPrivateKey(text)) ?? decodeDer(bytes)
  if (key) return key
  throw new KeyStoreError(location, `holds a PEM ${label} that cannot be read. Check that it was stored completely.`)
}

/**
 * The key in these bytes: PKCS#8, encrypted or not, PKCS#1, SEC1, or the form of OpenSSH.
 * @returns undefined if they are not a key
 * @throws {KeyStoreError} if they are a key that can't be used in this form
 */
export function decodeKeyBytes(location: string, bytes: Buffer, passphrase: unknown): KeyObject | undefined {
  if (bytes.toString('latin1', 0, openSshMagic.length) === openSshMagic) return decodeOpenSshKey(location, bytes)
  if (isEncryptedDer(bytes)) return decrypt(location, { pem: pemOf(encryptedLabel, bytes), form: 'DER', passphrase })
  return decodeDer(bytes)
}

const encryptedLabel = 'ENCRYPTED PRIVATE KEY'

function decodeDer(key: Buffer): KeyObject | undefined {
  for (const type of ['pkcs8', 'pkcs1', 'sec1'] as const) {
    const found = tryKey(() => createPrivateKey({ key, format: 'der', type }))
    if (found) return found
  }
  return undefined
}

/** Drops the error of node:crypto, which may quote its input. */
function tryKey(read: () => KeyObject): KeyObject | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

/** RFC 5958 section 3: the bytes begin with an algorithm of PKCS#5 or PKCS#12. */
function isEncryptedDer(bytes: Buffer): boolean {
  return /^30([0-7].|81..)06(09|0a|0b)2a864886f70d01(05|0c01)/.test(sequenceContent(bytes))
}

interface EncryptedKey {
  readonly pem: string
  /** The form in the secret. */
  readonly form: 'PEM' | 'DER'
  readonly passphrase: unknown
}

/** The passphrase itself, and the passphrase without the line break that an editor adds at its end. */
export function withoutLineBreak(passphrase: string): readonly string[] {
  return [...new Set([passphrase, passphrase.replace(/(\r?\n)+$/, '')])]
}

function decrypt(location: string, { pem, form, passphrase }: EncryptedKey): KeyObject {
  if (typeof passphrase !== 'string')
    throw new KeyStoreError(
      location,
      passphrase === undefined
        ? `holds an encrypted ${form} private key without its passphrase. Store JSON with privateKey and passphrase.`
        : 'holds a passphrase that is not a text. Write it in quotation marks.',
    )
  for (const each of withoutLineBreak(passphrase))
    try {
      return createPrivateKey({ key: pem, format: 'pem', passphrase: each })
    } catch (error) {
      if ((error as { readonly code?: unknown }).code === 'ERR_OSSL_EVP_UNSUPPORTED')
        throw new KeyStoreError(location, describeOldCipher(pem))
    }
  throw new KeyStoreError(
    location,
    `holds an encrypted ${form} private key that its passphrase does not decrypt. Check that the passphrase is right and that the key was stored completely.`,
  )
}

/** Ciphers that OpenSSL 3 no longer supports, by their object identifiers. */
const oldCiphers: readonly (readonly [RegExp, string])[] = [
  [/2a864886f70d0105(01|03|0a)/, 'DES (PBES1)'],
  [/2a864886f70d0105(04|06|0b)|2a864886f70d010c010[56]/, 'RC2 (PBES1)'],
  [/2a864886f70d010c010[12]/, 'RC4'],
  [/2b0e030207/, 'DES'],
  [/2a864886f70d0302/, 'RC2'],
]

function describeOldCipher(pem: string): string {
  const [, traditional] = /DEK-Info: ([\w-]+),/.exec(pem) ?? []
  const head = sequenceContent(bytesOfPem(pem))
  const cipher = traditional ?? oldCiphers.find(([identifier]) => identifier.test(head))?.[1] ?? 'an old cipher'
  return `holds a private key encrypted with ${cipher}, which OpenSSL 3 does not support. Convert it and store the new file: openssl pkcs8 -topk8 -v2 aes-256-cbc -provider legacy -provider default -in <file> -out <new file>`
}

const openSshMagic = 'openssh-key-v1\0'
/** PKCS#8 of an Ed25519 key (RFC 8410 section 7) up to its 32 bytes. */
const ed25519Head = Buffer.from('302e020100300506032b657004220420', 'hex')

/**
 * The `openssh-key-v1` form (PROTOCOL.key of OpenSSH). Only Ed25519 is read: ssh-keygen converts all other types to PKCS#8, but
 * Ed25519 only since OpenSSH 9.6.
 */
function decodeOpenSshKey(location: string, bytes: Buffer): KeyObject {
  const [cipher = '', , , , publicPart = none, privatePart = none] = stringsOf(bytes.subarray(openSshMagic.length), 3)
  const [type = '', publicKey = none] = stringsOf(publicPart)
  if (String(type) !== 'ssh-ed25519')
    throw new KeyStoreError(
      location,
      'holds an OpenSSH private key. Convert it to PKCS#8 and store it again: ssh-keygen -p -m PKCS8 -f <file>',
    )
  if (String(cipher) !== 'none')
    throw new KeyStoreError(
      location,
      `holds an OpenSSH Ed25519 key with a passphrase. Remove the passphrase and store the key again: ssh-keygen -p -N '' -f <file>`,
    )
  // The first 8 bytes are two numbers with which OpenSSH checks a passphrase.
  const [, , seedAndPublicKey = none] = stringsOf(privatePart.subarray(8))
  const der = Buffer.concat([ed25519Head, seedAndPublicKey.subarray(0, 32)])
  const key = tryKey(() => createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
  if (key && createPublicKey(key).export({ format: 'jwk' }).x === publicKey.toString('base64url')) return key
  throw new KeyStoreError(
    location,
    'holds an OpenSSH private key that cannot be read. Check that it was stored completely.',
  )
}

const none = Buffer.alloc(0)

/**
 * The texts in the bytes, each after its length (RFC 4251 section 5), up to the end of the bytes.
 * @param numberAt the index of a number among the texts; it is returned as an empty text
 */
function stringsOf(bytes: Buffer, numberAt?: number): Buffer[] {
  const strings: Buffer[] = []
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = strings.length === numberAt ? 0 : bytes.readUInt32BE(at)
    strings.push(bytes.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  return strings
}
