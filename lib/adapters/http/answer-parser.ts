import type { Socket } from 'node:net'
import { type AnswerParser, symbols } from './undici.ts'

const noAnswer = -1
const [blank, tab, del] = [0x20, 0x09, 0x7f]

/**
 * Makes the parser of a socket accept answers that RFC 9110 and RFC 9112 let a client accept and undici rejects. An unrequested
 * `100 Continue` is skipped like any other interim answer (RFC 9110 section 15.2). A header may continue on the next line (RFC 9112
 * section 5.2), lines may end with a line feed alone (section 2.2), and blanks may follow a chunk size or a content-length. An
 * unrequested switch of protocols, a status below 100, or a control character in a header is still an error.
 */
export function readLiberally(socket: Socket): void {
  const parser = (socket as unknown as Record<symbol, AnswerParser>)[symbols.kParser]
  if (!parser) throw new Error('The socket has no undici parser. Check the version of undici.')
  const { llhttp, ptr } = parser
  llhttp.llhttp_set_lenient_headers(ptr, 1)
  llhttp.llhttp_set_lenient_optional_cr_before_lf(ptr, 1)
  llhttp.llhttp_set_lenient_spaces_after_chunk_size(ptr, 1)

  const onHeadersComplete = parser.onHeadersComplete.bind(parser)
  parser.onHeadersComplete = (status, isUpgrade, isKeptAlive) => {
    const isInterim = status < 200
    if (status === 101 || status < 100 || hasControlCharacters(parser.headers)) return noAnswer
    // An interim answer does not end the exchange. Its connection header and version do not apply to the answer that follows.
    llhttp.llhttp_set_lenient_keep_alive(ptr, isInterim ? 1 : 0)
    dropTrailingBlanks(parser.headers)
    parser.contentLength = contentLengthIn(parser.headers)
    return onHeadersComplete(status === 100 ? 102 : status, isUpgrade, isInterim || isKeptAlive)
  }
}

/** RFC 9110 section 5.5: control characters are dangerous or invalid, except a tab. */
function hasControlCharacters(headers: readonly Buffer[]): boolean {
  return headers.some((each) => each.some((byte) => (byte < blank && byte !== tab) || byte === del))
}

/** RFC 9112 section 5.1: trailing blanks are not part of the value. */
function dropTrailingBlanks(headers: Buffer[]): void {
  for (const [at, each] of headers.entries()) {
    let end = each.length
    while (each[end - 1] === blank || each[end - 1] === tab) end--
    if (end < each.length) headers[at] = each.subarray(0, end)
  }
}

/** llhttp guarantees that there is at most one, and that it consists of digits. */
function contentLengthIn(headers: readonly Buffer[]): number {
  const index = headers.findIndex((each, at) => at % 2 === 0 && nameOf(each) === 'content-length')
  return index < 0 ? -1 : Number(headers[index + 1]?.toString('latin1'))
}

function nameOf(name: Buffer): string {
  return name.toString('latin1').toLowerCase()
}
