/*
 * The files of undici that Tokenwell imports. The index of undici also loads fetch, a cache and mocks, which Tokenwell does not use.
 * Without the index, dispatchers lack the methods that it adds to them.
 */
declare module 'undici/lib/core/connect.js' {
  export { buildConnector as default } from 'undici'
}

declare module 'undici/lib/core/errors.js' {
  export { errors as default } from 'undici'
}

declare module 'undici/lib/core/symbols.js' {
  /** The symbols of a socket's parser, and of the method of a client that opens its connection. */
  const symbols: { readonly kParser: symbol; readonly kConnect: symbol }
  export default symbols
}

declare module 'undici/lib/dispatcher/client-h1.js' {
  /** The switches of llhttp for answers that RFC 9112 lets a client accept, and that llhttp rejects by default. */
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
    /** As undici reads it. It counts blanks after the digits as digits. */
    contentLength: number
    onHeadersComplete(status: number, isUpgrade: boolean, isKeptAlive: boolean): number
  }
}

declare module 'undici/lib/dispatcher/client.js' {
  export { Client as default } from 'undici'
}
