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

declare module 'undici/lib/dispatcher/client.js' {
  export { Client as default } from 'undici'
}
