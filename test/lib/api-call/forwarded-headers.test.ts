import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InvalidRequestError } from '../../../lib/admission/invalid-request.ts'
import type { ApiAnswer } from '../../../lib/api-call/api-endpoint.ts'
import { forwardedHeaders } from '../../../lib/api-call/forwarded-headers.ts'
import { returnedHeaders } from '../../../lib/api-call/returned-headers.ts'

/* RFC 9110 section 5.1: names of headers are case-insensitive. */

const spellings: readonly ((name: string) => string)[] = [
  (name) => name,
  (name) => name.toUpperCase(),
  (name) => name.replace(/\b[a-z]/g, (letter) => letter.toUpperCase()),
  (name) => name.slice(0, -1) + name.slice(-1).toUpperCase(),
]

function returned(given: ApiAnswer['headers']): ApiAnswer['headers'] {
  const place = {
    api: { origin: 'https://api.example', basePath: '' },
    target: '/',
    callerPath: '/connections/conn/api',
  }
  return returnedHeaders(given, place).headers
}

const hopByHop = [
  'connection',
  'expect',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]
const callersOwn = [
  'amz-sdk-invocation-id',
  'amz-sdk-request',
  'authorization',
  'content-length',
  'forwarded',
  'host',
  'via',
  'x-amz-algorithm',
  'x-amz-cf-id',
  'x-amz-content-sha256',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-expires',
  'x-amz-region-set',
  'x-amz-security-token',
  'x-amz-signature',
  'x-amz-signedheaders',
  'x-amzn-trace-id',
  'x-forwarded-for',
  'x-forwarded-anything',
]

test('a hop-by-hop header, or one about the way to Tokenwell, is not forwarded, in any case', () => {
  for (const name of [...hopByHop, ...callersOwn])
    for (const spell of spellings)
      assert.deepEqual(forwardedHeaders({ [spell(name)]: 'x', accept: '*/*' }), { accept: '*/*' }, spell(name))
})

test('hop-by-hop headers and the length are not returned, in upper or lower case', () => {
  for (const name of [...hopByHop, 'content-length'])
    for (const spell of spellings)
      assert.deepEqual(returned({ [spell(name)]: 'x', etag: 'y' }), { etag: 'y' }, spell(name))
})

test('a header for the whole origin is not returned, and a location is mapped, in upper or lower case', () => {
  for (const spell of spellings) {
    for (const name of ['strict-transport-security', 'access-control-allow-origin', 'x-accel-redirect', 'alt-svc'])
      assert.deepEqual(returned({ [spell(name)]: 'x', etag: 'y' }), { etag: 'y' }, spell(name))
    assert.deepEqual(returned({ [spell('location')]: '/x' }), { location: ['/connections/conn/api/x'] })
    assert.deepEqual(returned({ [spell('set-cookie')]: 'a=b' }), { 'set-cookie': ['a=b; Path=/connections/conn/api/'] })
  }
})

test('a header that connection lists is dropped in both directions, in upper or lower case', () => {
  for (const spell of spellings)
    for (const spellListed of spellings) {
      const headers = {
        [spell('connection')]: `close,${spellListed('x-a')} ,\t${spellListed('x-b')}`,
        'X-A': '1',
        'x-b': '2',
        'x-c': '3',
      }
      assert.deepEqual(forwardedHeaders(headers), { 'x-c': '3' })
      assert.deepEqual(returned(headers), { 'x-c': '3' })
    }
  assert.deepEqual(forwardedHeaders({ connection: 'x-a', Connection: 'x-b', 'x-a': '1', 'x-b': '2' }), {})
  assert.deepEqual(returned({ Connection: ['x-a', 'X-B'], 'x-a': ['1'], 'x-b': ['2'], 'x-c': ['3'] }), {
    'x-c': ['3'],
  })
})

test('a proxy-status that names Tokenwell is dropped, in upper or lower case, and another is returned', () => {
  for (const spell of spellings)
    for (const name of ['tokenwell', 'Tokenwell', 'TOKENWELL'])
      for (const value of [name, `${name}; error=dns_error`, `cdn, "${name}"; error=dns_error`, `cdn, ${name}`])
        assert.deepEqual(returned({ [spell('proxy-status')]: value }), {}, `${spell('proxy-status')}: ${value}`)
  for (const value of ['cdn.example; hit', 'mytokenwells; error=dns_error'])
    assert.deepEqual(returned({ 'proxy-status': value }), { 'proxy-status': value })
})

test('every other header is forwarded with its name in lower case, and cookies as one header', () => {
  assert.deepEqual(forwardedHeaders({ 'X-Mine': 'a', 'x-forwardedness': 'b', 'X-None': undefined }, ['a=1', 'b=2']), {
    'x-mine': 'a',
    'x-forwardedness': 'b',
    cookie: 'a=1; b=2',
  })
  assert.deepEqual(forwardedHeaders({ Cookie: 'c=3' }), { cookie: 'c=3' })
  const namesOfOthers = { 'x-a': 'x-b, x-c', 'x-b': '1', 'x-c': '2' }
  assert.deepEqual(forwardedHeaders(namesOfOthers), namesOfOthers, 'only connection lists what stays here')
})

test('a header that HTTP does not allow is a mistake of the caller', () => {
  for (const name of ['', 'a b', 'a:', 'ä', 'a\n', '\na', 'a\0'])
    assert.throws(
      () => forwardedHeaders({ [name]: 'x' }),
      new InvalidRequestError('a header', 'has a name that HTTP does not allow.'),
      JSON.stringify(name),
    )
  for (const value of ['a\n', '\nb', 'a\r\nb: c', '\0', '\x7f', '\u0100'])
    assert.throws(
      () => forwardedHeaders({ 'X-A': value }),
      { message: 'the header x-a contains a line break or another character that HTTP does not allow in a header.' },
      JSON.stringify(value),
    )
  const whatever = { "!#$%&'*+.^_`|~-09az": '\t !~\x80\xff', 'x-empty': '' }
  assert.deepEqual(forwardedHeaders(whatever), whatever)
})
