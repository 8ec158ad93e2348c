import type { Socket } from 'node:net'
import { type AnswerParser, symbols } from './undici.ts'

const noAnswer = -1
const [blank, tab, del] = [0x20, 0x09, 0x7f]

/**
 * A client takes more than undici does. `100 Continue` unasked is passed over like any other interim answer (RFC 9110 section
 * 15.2): undici would end the socket. A header may go on in the next line (RFC 9112 section 5.2), lines may end by a line feed
 * alone (section 2.2), a chunk's size and a content-length may have blanks behind them. A switch of protocols that nobody asked
 * for, a status below 100, or a control character in a header is no answer.
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
    // An interim answer is no end: what it says of the connection, or by its version, says nothing of the answer behind it.
    llhttp.llhttp_set_lenient_keep_alive(ptr, isInterim ? 1 : 0)
    dropTrailingBlanks(parser.headers)
    parser.contentLength = contentLengthIn(parser.headers)
    return onHeadersComplete(status === 100 ? 102 : status, isUpgrade, isInterim || isKeptAlive)
  }
}

/** RFC 9110 section 5.5: they are dangerous, or invalid. A tab is neither. */
function hasControlCharacters(headers: readonly Buffer[]): boolean {
  return headers.some((each) => each.some((byte) => (byte < blank && byte !== tab) || byte === del))
}

/** RFC 9112 section 5.1: they are no part of the value. */
function dropTrailingBlanks(headers: Buffer[]): void {
  for (const [at, each] of headers.entries()) {
    let end = each.length
    while (each[end - 1] === blank || each[end - 1] === tab) end--
    if (end < each.length) headers[at] = each.subarray(0, end)
  }
}

/** llhttp has seen to it that there is one at most, of digits alone. */
function contentLengthIn(headers: readonly Buffer[]): number {
  const index = headers.findIndex((each, at) => at % 2 === 0 && nameOf(each) === 'content-length')
  return index < 0 ? -1 : Number(headers[index + 1]?.toString('latin1'))
}

function nameOf(name: Buffer): string {
  return name.toString('latin1').toLowerCase()
}
