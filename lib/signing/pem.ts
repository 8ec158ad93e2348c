import { X509Certificate } from 'node:crypto'
import { KeyStoreError } from './signing-key.ts'

/** One block of a PEM text (RFC 7468), with its lines restored. */
export interface PemBlock {
  readonly label: string
  readonly text: string
}

const block = /-----BEGIN ([A-Z0-9 ]+)-----([\s\S]*?)-----END \1-----/g
/** The header lines of a traditional encrypted key (RFC 1421 section 4.6.1). */
const encryptionHeaders = /^\s*Proc-Type:\s*4,ENCRYPTED\s+DEK-Info:\s*([\w-]+,[0-9A-Fa-f]+)/

/**
 * Reads the blocks of a PEM text. Environment variables, JSON and shells may have escaped its line ends once or twice, replaced
 * them by spaces, or removed them.
 */
export function readPemBlocks(text: string): PemBlock[] {
  const lines = text.replace(/\\+r/g, '').replace(/\\+n/g, '\n').replace(/\r/g, '')
  return [...lines.matchAll(block)].map(([, label = '', body = '']) => {
    const [headers = '', encryption] = encryptionHeaders.exec(body) ?? []
    const restored = encryption ? `Proc-Type: 4,ENCRYPTED\nDEK-Info: ${encryption}\n\n` : ''
    return {
      label,
      text: `-----BEGIN ${label}-----\n${restored}${wrap(body.slice(headers.length))}\n-----END ${label}-----\n`,
    }
  })
}

function wrap(body: string): string {
  return (
    body
      .replace(/\s+/g, '')
      .match(/.{1,64}/g)
      ?.join('\n') ?? ''
  )
}

/** The PEM block of these bytes. */
export function pemOf(label: string, bytes: Buffer): string {
  return `-----BEGIN ${label}-----\n${wrap(bytes.toString('base64'))}\n-----END ${label}-----\n`
}

/** The bytes in the base64 of a block that has no headers. */
export function bytesOfPem(text: string): Buffer {
  return Buffer.from(text.replace(/-----[A-Z0-9 ]+-----/g, ''), 'base64')
}

/** Decodes a text that is base64 of PEM or JSON. Any other text is returned unchanged. */
export function unwrapBase64(text: string): string {
  const unwrapped = decodeBase64(text)?.toString('utf8') ?? ''
  return /^\s*\{|-----BEGIN /.test(unwrapped) ? unwrapped : text
}

/** The bytes of a base64 text, which may have quotation marks and escaped line ends. Undefined for any other text. */
export function decodeBase64(text: string): Buffer | undefined {
  const packed = text.replace(/\\+[rn]|\s+/g, '').replace(/^(["'])(.*)\1$/, '$2')
  return /^[A-Za-z0-9+/_-]{16,}={0,2}$/.test(packed) ? Buffer.from(packed, 'base64') : undefined
}

/** The first bytes, in hexadecimal, of the content of a sequence (X.690 section 8.1). Empty if the bytes are not a sequence. */
export function sequenceContent(bytes: Buffer): string {
  const [tag, form = 0] = bytes
  const start = form < 0x80 ? 2 : 2 + (form & 0x7f)
  return tag === 0x30 ? bytes.subarray(start, start + 120).toString('hex') : ''
}

/**
 * The certificates of a PEM text, in order.
 * @throws {KeyStoreError} when one can't be read: node:tls would silently ignore it
 */
export function readCertificates(location: string, text: string): X509Certificate[] {
  return readPemBlocks(text)
    .filter(({ label }) => label === 'CERTIFICATE')
    .map((block) => decodeCertificate(location, block.text))
}

/**
 * @param encoding PEM as text, or DER
 * @throws {KeyStoreError}
 */
export function decodeCertificate(location: string, encoding: string | Buffer): X509Certificate {
  try {
    return new X509Certificate(encoding)
  } catch {
    throw new KeyStoreError(location, 'holds a certificate that cannot be read. Check that it was stored completely.')
  }
}
