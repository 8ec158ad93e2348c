import { X509Certificate } from 'node:crypto'
import { KeyStoreError } from './signing-key.ts'

/** One block of a PEM text (RFC 7468), with its lines restored. */
export interface PemBlock {
  readonly label: string
  readonly text: string
}

const block = /-----BEGIN ([A-Z0-9 ]+)-----([\s\S]*?)-----END \1-----/g
/** The headers of a traditional encrypted key (RFC 1421 section 4.6.1), each on a line of its own. */
const encryptionHeaders = /^\s*Proc-Type:\s*4,ENCRYPTED\s+DEK-Info:\s*([\w-]+,[0-9A-Fa-f]+)/

/**
 * Reads the blocks of a text that environment variables, JSON and shells may have changed: line ends escaped once or twice,
 * turned into blanks, or lost.
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

/** The same block of bytes. */
export function pemOf(label: string, bytes: Buffer): string {
  return `-----BEGIN ${label}-----\n${wrap(bytes.toString('base64'))}\n-----END ${label}-----\n`
}

/** What the base64 of a block without headers holds. */
export function bytesOfPem(text: string): Buffer {
  return Buffer.from(text.replace(/-----[A-Z0-9 ]+-----/g, ''), 'base64')
}

/** Decodes a text that is nothing but base64 of PEM or JSON. Any other text is returned as it is. */
export function unwrapBase64(text: string): string {
  const unwrapped = decodeBase64(text)?.toString('utf8') ?? ''
  return /^\s*\{|-----BEGIN /.test(unwrapped) ? unwrapped : text
}

/** The bytes of a text that is nothing but base64, in quotation marks and with escaped line ends or not; undefined of any other. */
export function decodeBase64(text: string): Buffer | undefined {
  const packed = text.replace(/\\+[rn]|\s+/g, '').replace(/^(["'])(.*)\1$/, '$2')
  return /^[A-Za-z0-9+/_-]{16,}={0,2}$/.test(packed) ? Buffer.from(packed, 'base64') : undefined
}

/** The first bytes in hexadecimal of what one sequence (X.690 section 8.1) holds; empty where the bytes are none. */
export function sequenceContent(bytes: Buffer): string {
  const [tag, form = 0] = bytes
  const start = form < 0x80 ? 2 : 2 + (form & 0x7f)
  return tag === 0x30 ? bytes.subarray(start, start + 120).toString('hex') : ''
}

/**
 * The certificates of a PEM text, in their order.
 * @throws {KeyStoreError} when one can't be read: node:tls would ignore it silently
 */
export function readCertificates(location: string, text: string): X509Certificate[] {
  return readPemBlocks(text)
    .filter(({ label }) => label === 'CERTIFICATE')
    .map((block) => decodeCertificate(location, block.text))
}

/**
 * @param encoding PEM, or DER
 * @throws {KeyStoreError}
 */
export function decodeCertificate(location: string, encoding: string | Buffer): X509Certificate {
  try {
    return new X509Certificate(encoding)
  } catch {
    throw new KeyStoreError(location, "holds a certificate that can't be read; check that it was stored whole.")
  }
}
