import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startCallApiWithScriptedServers } from '../../support/functions/call-api-with-scripted-servers.ts'
import { base, paths, queries, refused } from './hostile-targets.ts'

/*
 * Paths and queries as the HTTP API passes them on, and the result of each: the path that the API gets, or a 400. API Gateway has
 * decoded the paths.
 */

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

test('a path is refused, or the API gets exactly what the caller meant', async (t) => {
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
        path.startsWith('/')
          ? /"invalid_request","error_description":"path /
          : /There is no route with the method GET and this path/,
      )
    }
  }
})

test('without a base path, the same holds below the host', async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t)
  for (const [path, seen] of paths) {
    const before = api.requests.length
    await call({ path })
    const received = api.requests.slice(before).map(({ url, headers: { host } }) => `${host}${url}`)
    assert.deepEqual(received, seen === refused ? [] : [`localhost:${api.port}${seen.slice(base.length)}`], path)
  }
})

test('a query is refused, or it is forwarded unchanged', async (t) => {
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

test('a header is refused, or it is forwarded unchanged', async (t) => {
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
