import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import type { ScriptedAnswer } from '../support/servers/scripted-token-endpoint.ts'
import {
  always,
  type Behaviour,
  type Expectation,
  type Family,
  fine,
  fineText,
  first,
  hostileToken,
  recovers,
  remembered,
  repeated,
  token,
  unreadable,
} from './behaviour.ts'

const withBody = (name: string, answer: () => ScriptedAnswer, expectation: Expectation = unreadable): Behaviour => ({
  name,
  script: always(answer),
  ...expectation,
})

const typed = (type: string, body: () => string | Buffer, expectation: Expectation = unreadable): Behaviour =>
  withBody(`200 ${type}`, () => ({ headers: { 'content-type': type }, body: body() }), expectation)

const compressed = (name: string, encoding: string, body: () => Buffer, expectation = unreadable): Behaviour =>
  withBody(name, () => ({ headers: { 'content-encoding': encoding }, body: body() }), expectation)

const invalidClient = { error: 'invalid_client' }
const manyBlanks = () => Buffer.alloc(20_000_000, ' ')
const largestAnswer = 64 * 1024

/** Makes a compression bomb at its first use, and only once. */
function once(make: () => Buffer): () => Buffer {
  let made: Buffer | undefined
  return () => {
    made ??= make()
    return made
  }
}

const swapped = (text: string) => Buffer.from(text, 'utf16le').swap16()
const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`

const charsets: readonly Behaviour[] = [
  typed('text/html', () => '<html>'),
  withBody(
    '200 JSON with content-type text/html',
    () => ({ headers: { 'content-type': 'text/html' }, body: fineText() }),
    token(),
  ),
  withBody('200 JSON without a content-type', () => ({ headers: { 'content-type': '' }, body: fineText() }), token()),
  typed('application/json; charset=iso-8859-1', () => fineText(), token()),
  typed('application/json; charset=nonsense; charset=', () => fineText(), token()),
  typed('application/json; charset=utf-16', () => Buffer.from(`\ufeff${fineText()}`, 'utf16le'), token()),
  typed('application/json; charset=utf-16be', () => swapped(fineText()), token()),
  typed('application/json; charset=utf-7', () => fineText().replaceAll('"', '+ACI-')),
  typed('application/json; charset=latin1', () => Buffer.from(fineText({ note: '\u00e4' }), 'latin1'), token()),
  withBody('200 not UTF-8', () => ({ body: Buffer.from([0x7b, 0xff, 0x7d]) })),
  withBody('200 with a byte order mark', () => ({ body: `\ufeff${fineText()}` }), token()),
  withBody('200 with two byte order marks', () => ({ body: `\ufeff\ufeff${fineText()}` }), token()),
]

const shapes: readonly Behaviour[] = [
  withBody('200 with an error', () => ({ body: invalidClient }), remembered()),
  withBody('200 with an error and a token', () => fine(invalidClient), token()),
  withBody('200 with error null and a token', () => fine({ error: null }), token()),
  withBody('200 empty', () => ({ body: '' }), repeated),
  withBody('200 with only white space', () => ({ body: ' \r\n ' }), repeated),
  { name: '200 empty, then a token', script: first(() => ({ body: '' })), ...recovers },
  withBody('200 null', () => ({ body: 'null' })),
  withBody('200 a list', () => ({ body: [fine().body] })),
  withBody('200 a JSON string', () => ({ body: JSON.stringify(fineText()) })),
  withBody('200 the token as plain text', () => ({ headers: { 'content-type': 'text/plain' }, body: hostileToken() })),
  withBody(
    '200 form-encoded',
    () => ({
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `access_token=${hostileToken()}&token_type=Bearer&expires_in=300`,
    }),
    token(),
  ),
  withBody(
    '200 form-encoded, with an error',
    () => ({ body: 'error=invalid_client&error_description=No+such+client' }),
    remembered(),
  ),
  withBody('200 with ok false', () => ({ body: { ok: false, error: 'invalid_auth' } }), remembered()),
  withBody('200 with an errcode', () => ({ body: { errcode: 40013, errmsg: 'invalid appid' } }), remembered()),
  typed('application/xml', () => `<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><token>&b;${hostileToken()}`),
  withBody('200 JSONP', () => ({ body: `callback(${fineText()})` })),
  withBody("200 JSON after )]}',", () => ({ body: `)]}',\n${fineText()}` })),
  withBody('200 JSON and more text', () => ({ body: `${fineText()}<!-- -->` })),
  withBody('200 two JSON objects', () => ({ body: `${fineText()}${fineText()}` })),
  withBody('200 JSON cut off', () => ({ body: fineText().slice(0, -1) })),
  withBody('200 JSON with a comma too many', () => ({ body: fineText().replace('}', ',}') })),
  withBody('200 JSON with a comment', () => ({ body: `/* */${fineText()}` })),
  withBody('200 JSON in single quotes', () => ({ body: fineText().replaceAll('"', "'") })),
  withBody('200 JSON with a NUL at its end', () => ({ body: `${fineText()}\0` })),
  withBody(
    '200 JSON with escapes in member names',
    () => ({ body: fineText().replace('access', '\\u0061ccess') }),
    token(),
  ),
  withBody('200 access_token twice', () => ({ body: fineText().replace('{', '{"access_token":"first",') }), token()),
  withBody('200 token_type twice', () => ({ body: fineText().replace('}', ',"token_type":"DPoP"}') })),
  withBody('200 expires_in twice', () => ({ body: fineText().replace('{', '{"expires_in":-1,') }), token()),
  withBody(
    '200 error twice, the second null',
    () => ({ body: fineText().replace('{', '{"error":"invalid_client","error":null,') }),
    token(),
  ),
  withBody('200 nested 30,000 deep', () => ({ body: nested(30_000) })),
  withBody(
    '200 a token and a list nested 30,000 deep',
    () => ({ body: fineText().replace('{', `{"a":${nested(30_000)},`) }),
    token(),
  ),
  withBody('200 nested 5,000,000 deep', () => ({ body: nested(5_000_000) })),
  withBody(
    '200 with 5,000 members',
    () => {
      const members = Array.from({ length: 5_000 }, (_, index) => [`m${index}`, index])
      return fine(Object.fromEntries(members))
    },
    token(),
  ),
  withBody(
    '200 a token and a number of 60,000 digits',
    () => ({ body: fineText().replace('{', `{"n":${'9'.repeat(60_000)},`) }),
    token(),
  ),
  withBody('200 of 64 KiB', () => ({ body: fineText().padEnd(largestAnswer) }), token()),
  withBody('200 of 64 KiB and a byte', () => ({ body: fineText().padEnd(largestAnswer + 1) })),
  withBody('201 with a token', () => ({ ...fine(), status: 201 }), token()),
  withBody('202 with a token', () => ({ ...fine(), status: 202 }), token()),
  withBody('204', () => ({ status: 204 })),
  withBody('205', () => ({ status: 205 })),
  withBody('201 empty', () => ({ status: 201 }), repeated),
  withBody(
    '206 with a token',
    () => ({ ...fine(), status: 206, headers: { 'content-range': 'bytes 0-9/10' } }),
    token(),
  ),
]

const bombs: readonly Behaviour[] = [
  compressed('200 gzip that was not requested', 'gzip', () => gzipSync(fineText()), token()),
  compressed('200 deflate that was not requested', 'deflate', () => deflateSync(fineText()), token()),
  compressed('200 br that was not requested', 'br', () => brotliCompressSync(fineText()), token()),
  compressed(
    'a gzip bomb of 20 MB',
    'gzip',
    once(() => gzipSync(manyBlanks())),
  ),
  compressed(
    'a deflate bomb of 20 MB',
    'deflate',
    once(() => deflateSync(manyBlanks())),
  ),
  compressed(
    'a gzip bomb within a gzip bomb',
    'gzip, gzip',
    once(() => gzipSync(gzipSync(manyBlanks()))),
  ),
  compressed('an unknown content-encoding', 'x-nonsense', () => Buffer.from(fineText()), token()),
]

export const bodies: Family = {
  title: 'Bodies',
  behaviours: [...charsets, ...shapes, ...bombs],
}
