import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startCallApiWithScriptedServers } from '../../support/functions/call-api-with-scripted-servers.ts'

/*
 * Paths and queries as the HTTP API hands them over, and what becomes of each: what the API gets to see, or a 400. What is
 * decoded here is what a caller wrote encoded.
 */

const base = '/v1'
const refused = undefined

const paths: readonly (readonly [path: string, seen: string | undefined])[] = [
  ['/', '/v1/'],
  ['/orders', '/v1/orders'],
  ['/orders/', '/v1/orders/'],
  ['/orders/42/items', '/v1/orders/42/items'],
  // What may stand in a path stands there as it is (RFC 3986 section 3.3).
  ["/a-b._~!$&'()*+,;=:@/c", "/v1/a-b._~!$&'()*+,;=:@/c"],
  ['/user@evil.example/x', '/v1/user@evil.example/x'],
  ['/@evil.example', '/v1/@evil.example'],
  ['/:443/x', '/v1/:443/x'],
  ['/https://evil.example/x', '/v1/https://evil.example/x'],
  ['/http:evil.example', '/v1/http:evil.example'],
  ['/a//b', '/v1/a//b'],
  ['/a//', '/v1/a//'],
  ['/...', '/v1/...'],
  ['/..a', '/v1/..a'],
  ['/a..', '/v1/a..'],
  ['/.well-known/x', '/v1/.well-known/x'],
  ['/a;v=1/b', '/v1/a;v=1/b'],
  // What can't is encoded again.
  ['/two words', '/v1/two%20words'],
  ['/a"b<c>d', '/v1/a%22b%3Cc%3Ed'],
  ['/a{b}|^`', '/v1/a%7Bb%7D%7C%5E%60'],
  ['/[::1]/x', '/v1/%5B::1%5D/x'],
  ['/über/straße', '/v1/%C3%BCber/stra%C3%9Fe'],
  ['/日本', '/v1/%E6%97%A5%E6%9C%AC'],
  ['/\ud83d\ude00', '/v1/%F0%9F%98%80'],
  ['/fragen？', '/v1/fragen%EF%BC%9F'],
  ['/100％', '/v1/100%EF%BC%85'],
  ['/\u202eexe', '/v1/%E2%80%AEexe'],
  ['/a\u200b/b', '/v1/a%E2%80%8B/b'],
  ['/\u00a0', '/v1/%C2%A0'],
  // What would step out is refused, in whichever form.
  ['/..', refused],
  ['/.', refused],
  ['/../admin', refused],
  ['/a/../../admin', refused],
  ['/a/./b', refused],
  ['/a/..', refused],
  ['/..;/admin', refused],
  ['/..;x=y/admin', refused],
  ['/.;/admin', refused],
  ['/\uff0e\uff0e/admin', refused],
  ['/\uff0e./admin', refused],
  ['/\u2024\u2024/admin', refused],
  ['/\u2025/admin', refused],
  ['/a\uff0fb', refused],
  ['/a\uff3cb', refused],
  ['/\ufe52\ufe52/admin', refused],
  ['//evil.example/x', refused],
  ['///evil.example', refused],
  ['//', refused],
  ['/\\evil.example', refused],
  ['/..\\admin', refused],
  ['\\..\\admin', refused],
  // Once decoded these can't be told from what a server reads them as.
  ['/%2e%2e/admin', refused],
  ['/%2E%2E%2Fadmin', refused],
  ['/%252e', refused],
  ['/%', refused],
  ['/100%', refused],
  ['/%c0%ae%c0%ae/', refused],
  ['/\ufffd\ufffd/admin', refused],
  ['/a?b', refused],
  ['/a?admin=true', refused],
  ['/a#b', refused],
  ['/a\r\nHost: evil.example\r\n\r\n', refused],
  ['/a HTTP/1.1\r\nX: y', refused],
  ['/a\n', refused],
  ['/a\tb', refused],
  ['/a\0', refused],
  ['/a\u007f', refused],
  ['/a\u0085b', refused],
  ['/\ud800', refused],
  ['/a\udc00/b', refused],
]

const queries: readonly (readonly [query: string, seen: string | undefined])[] = [
  ['', ''],
  ['a=1&b=2&a=3', '?a=1&b=2&a=3'],
  ['b=2&a=1&&=&c', '?b=2&a=1&&=&c'],
  ['a=%20%2B+%2b%C3%A4', '?a=%20%2B+%2b%C3%A4'],
  ['a=%zz&b=%', '?a=%zz&b=%'],
  ['redirect=https://evil.example/?x=/../', '?redirect=https://evil.example/?x=/../'],
  [`a="<>[]{}|\\^\``, `?a="<>[]{}|\\^\``],
  ['a=b c', refused],
  ['a=b#c', refused],
  ['a=b\r\nX: y', refused],
  ['a=\0', refused],
  ['a=ä', refused],
  ['X-Amz-Signature=abc', refused],
  ['a=1&X-Amz-Credential=AKIA&b=2', refused],
  ['a=1&x-amz-security-token=abc', refused],
]

const headers: readonly (readonly [name: string, value: string, isSent: boolean])[] = [
  ['x-a', 'plain', true],
  ['x-a', '', true],
  ['x-a', 'tab\there', true],
  ['x-a', 'latin \u00e9', true],
  ['x-a', 'a\r\nx-injected: 1', false],
  ['x-a', 'a\nx-injected: 1', false],
  ['x-a', 'a\0b', false],
  ['x-a', 'euro \u20ac', false],
  ['x-a\r\nx-injected', '1', false],
  ['x a', '1', false],
  ['x:a', '1', false],
  ['', '1', false],
]

test('a path is refused, or the API sees exactly what was meant', async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t, undefined, {
    elements: { endpoint: { domainBasePath: base } },
  })
  assert.ok(paths.length + queries.length + headers.length > 60)
  for (const [path, seen] of paths) {
    const before = api.requests.length
    const { status, proxyError, body } = await call({ path })
    const received = api.requests.slice(before).map(({ url }) => url)
    const what = JSON.stringify(path)
    assert.deepEqual(received, seen === refused ? [] : [seen], what)
    assert.equal(status, seen === refused ? (path.startsWith('/') ? 400 : 404) : 200, what)
    if (seen === refused) {
      assert.equal(proxyError, 'http_request_error', what)
      assert.match(
        body.toString(),
        path.startsWith('/') ? /"invalid_request","error_description":"path / : /no such route/,
      )
    }
  }
})

test('without a base path it is the same below the host', async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t)
  for (const [path, seen] of paths) {
    const before = api.requests.length
    await call({ path })
    const received = api.requests.slice(before).map(({ url, headers: { host } }) => `${host}${url}`)
    assert.deepEqual(received, seen === refused ? [] : [`localhost:${api.port}${seen.slice(base.length)}`], path)
  }
})

test('a query is refused, or goes on exactly as it came', async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t)
  for (const [query, seen] of queries) {
    const before = api.requests.length
    const { status } = await call({ path: '/a', query })
    assert.deepEqual(
      api.requests.slice(before).map(({ url }) => url),
      seen === refused ? [] : [`/a${seen}`],
      JSON.stringify(query),
    )
    assert.equal(status, seen === refused ? 400 : 200)
  }
})

test('a header is refused, or goes on as it came', async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t)
  for (const [name, value, isSent] of headers) {
    const before = api.requests.length
    const { status } = await call({ headers: { [name]: value } })
    const received = api.requests.slice(before)
    assert.equal(status, isSent ? 200 : 400, JSON.stringify([name, value]))
    assert.equal(received.length, isSent ? 1 : 0)
    assert.equal(received[0]?.headers['x-injected'], undefined)
    if (isSent) assert.equal(Buffer.from(String(received[0]?.headers[name]), 'latin1').toString('latin1'), value)
  }
})
