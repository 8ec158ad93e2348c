/*
 * All parts of undici that Tokenwell uses, imported by file. The index of undici also loads fetch, a cache and mocks, which no
 * bundler leaves out. No other file imports undici.
 */
export type { Dispatcher } from 'undici'
export { default as buildConnector } from 'undici/lib/core/connect.js'
export { default as errors } from 'undici/lib/core/errors.js'
export { default as symbols } from 'undici/lib/core/symbols.js'
export { default as Client } from 'undici/lib/dispatcher/client.js'
export type { AnswerParser } from 'undici/lib/dispatcher/client-h1.js'
