/*
 * undici by its files: its index loads a fetch, a cache, mocks and more, of which we use nothing. The methods that the index adds
 * to every dispatcher are not there.
 */
declare module 'undici/lib/core/connect.js' {
  export { buildConnector as default } from 'undici'
}

declare module 'undici/lib/core/errors.js' {
  export { errors as default } from 'undici'
}

declare module 'undici/lib/core/symbols.js' {
  /** Where a socket has its parser. */
  const symbols: { readonly kParser: symbol }
  export default symbols
}

declare module 'undici/lib/dispatcher/client-h1.js' {
  /** llhttp's switches: what RFC 9112 lets a client take, and llhttp takes only when told. */
  interface Llhttp {
    llhttp_set_lenient_headers(parser: number, isOn: 0 | 1): void
    llhttp_set_lenient_optional_cr_before_lf(parser: number, isOn: 0 | 1): void
    llhttp_set_lenient_spaces_after_chunk_size(parser: number, isOn: 0 | 1): void
    llhttp_set_lenient_keep_alive(parser: number, isOn: 0 | 1): void
  }

  /** The parser of one socket. */
  export interface AnswerParser {
    readonly ptr: number
    readonly llhttp: Llhttp
    /** Names and values in turn. */
    readonly headers: Buffer[]
    /** As undici reads it, which takes blanks behind the digits for digits. */
    contentLength: number
    onHeadersComplete(status: number, isUpgrade: boolean, isKeptAlive: boolean): number
  }
}

declare module 'undici/lib/dispatcher/client.js' {
  export { Client as default } from 'undici'
}
