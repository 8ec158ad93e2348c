import { brotliDecompressSync, constants, gunzipSync, inflateRawSync, inflateSync, zstdDecompressSync } from 'node:zlib'
import { AnswerTooLargeError } from './http-exchange.ts'

interface Bound {
  readonly maxOutputLength: number
}

/** Servers send `deflate` with and without the zlib wrapper (RFC 9110 section 8.4.1.2). */
function inflate(bytes: Uint8Array, bound: Bound): Buffer {
  const isWrapped = ((bytes[0] ?? 0) & 0x0f) === 8
  return isWrapped ? inflateSync(bytes, bound) : inflateRawSync(bytes, bound)
}

/** RFC 8878 section 3.1.1.1.2: decoders need not support larger windows. A frame with one would use too much memory. */
const largestWindowLog = 23

function unpackZstandard(bytes: Uint8Array, bound: Bound): Buffer {
  return zstdDecompressSync(bytes, { ...bound, params: { [constants.ZSTD_d_windowLogMax]: largestWindowLog } })
}

/** These codings change nothing. undici has already decoded `chunked`. */
const asItIs: readonly string[] = ['identity', 'chunked', 'none', '']
const mostCodings = 4

/**
 * Decodes a body. Servers and proxies use content codings even though no request asks for one.
 * @param header the value of `Content-Encoding` or `Transfer-Encoding`, with codings in the order of their application
 * @param maximumBytes the size limit after each decoded coding
 * @returns undefined if a coding is unknown, or the body does not match its header
 * @throws {AnswerTooLargeError}
 */
export function decodeContent(
  body: Buffer,
  header: string | readonly string[] | undefined,
  maximumBytes: number,
): Buffer | undefined {
  const codings = String(header ?? '')
    .toLowerCase()
    .split(',')
    .map((each) => each.trim())
  const applied = codings.filter((each) => !asItIs.includes(each))
  if (applied.length > mostCodings) return undefined
  let decoded: Buffer | undefined = body
  for (const coding of applied.reverse()) decoded = decoded && decodeOne(decoded, coding, maximumBytes)
  return decoded
}

function decodeOne(body: Buffer, coding: string, maxOutputLength: number): Buffer | undefined {
  try {
    return unpack(body, coding, { maxOutputLength })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw new AnswerTooLargeError()
    return undefined
  }
}

function unpack(body: Buffer, coding: string, bound: Bound): Buffer | undefined {
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      return gunzipSync(body, bound)
    case 'deflate':
      return inflate(body, bound)
    case 'br':
      return brotliDecompressSync(body, bound)
    case 'zstd':
      return unpackZstandard(body, bound)
    default:
      return undefined
  }
}
