/*
 * All that we use of undici, by its files: its index loads a fetch, a cache, mocks and more, of which we use nothing, and no
 * bundler leaves any of them out. No other file imports undici.
 */
export type { Dispatcher } from 'undici'
export { default as buildConnector } from 'undici/lib/core/connect.js'
export { default as errors } from 'undici/lib/core/errors.js'
export { default as symbols } from 'undici/lib/core/symbols.js'
export { default as Client } from 'undici/lib/dispatcher/client.js'
export type { AnswerParser } from 'undici/lib/dispatcher/client-h1.js'
