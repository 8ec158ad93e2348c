import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { startCallApiWithScriptedServers } from '../../support/functions/call-api-with-scripted-servers.ts'
import { captureLog } from '../../support/output/captured-log.ts'
import type { Script } from '../../support/servers/scripted-api.ts'

/* A cookie of an API belongs to its connection: a client sends it to no other connection, and not to the token route. */

async function startApi(t: TestContext, endpoint: Record<string, unknown> = { domainBasePath: '/v1' }) {
  const next: { lines: readonly string[] } = { lines: [] }
  const script: Script = ({ socket }) => {
    const head = next.lines.map((each) => `Set-Cookie: ${each}\r\n`).join('')
    socket.write(Buffer.from(`HTTP/1.1 200 OK\r\n${head}content-length: 2\r\n\r\n{}`, 'latin1'))
    return undefined
  }
  const { call } = await startCallApiWithScriptedServers(t, script, { elements: { endpoint } })
  return async (lines: readonly string[], path = '/orders/7') => {
    next.lines = lines
    const { status, cookies } = await call({ path })
    assert.equal(status, 200)
    return cookies
  }
}

/** RFC 6265 section 5.1.4. */
function isSentTo(cookie: string, path: string): boolean {
  const given = cookie.split(';').map((each) => each.trim())
  const cookiePath = given.findLast((each) => /^path=/i.test(each))?.slice('path='.length) ?? ''
  assert.match(cookiePath, /^\//)
  return path === cookiePath || path.startsWith(cookiePath.endsWith('/') ? cookiePath : `${cookiePath}/`)
}

const root = '/connections/conn/api/'
const orders = '/connections/conn/api/orders'

test("a cookie's path is mapped like a location, and its domain is removed", async (t) => {
  const cookiesOf = await startApi(t)
  const rows = [
    ['a=1', `a=1; Path=${orders}`],
    ['a=1; Path=/v1/orders', `a=1; Path=${orders}`],
    ['a=1; Path=/v1/orders/', `a=1; Path=${orders}/`],
    ['a=1; Path=/v1/a%20b', `a=1; Path=${root}a%20b`],
    ['a=1; Path=/v1', `a=1; Path=${root}`],
    ['a=1; Path=/v1/', `a=1; Path=${root}`],
    ['a=1; Path=/', `a=1; Path=${root}`],
    ['a=1; Path=/v2', `a=1; Path=${root}`],
    ['a=1; Path=/v10/x', `a=1; Path=${root}`],
    ['a=1; Path=/connections/b/api', `a=1; Path=${root}`],
    ['a=1; Path=/v1/../../connections/b', `a=1; Path=${root}`],
    ['a=1; Path=/v1/%2E%2e/%2e./b', `a=1; Path=${root}`],
    ['a=1; Path=/v1/..\\b', `a=1; Path=${root}`],
    ['a=1; Path=/v1/x y', `a=1; Path=${root}`],
    ['a=1; Path=/v1/\xe4', `a=1; Path=${root}`],
    ['a=1; Path=//evil.example', `a=1; Path=${root}`],
    ['a=1; Path=', `a=1; Path=${orders}`],
    ['a=1; Path', `a=1; Path=${orders}`],
    ['a=1; Path="/"', `a=1; Path=${orders}`],
    ['a=1; Path=v1', `a=1; Path=${orders}`],
    ['a=1;PATH=/', `a=1; Path=${root}`],
    ['a=1;\t Path \t=\t /v1/x \t', `a=1; Path=${root}x`],
    ['a=1; Path=/v1/x;Path=/', `a=1; Path=${root}`],
    ['a=1; Path=/; path=/v1/x', `a=1; Path=${root}x`],
    ['a=1; Path=/; path=', `a=1; Path=${orders}`],
    ['a=1; Path=/v1/a=b', `a=1; Path=${root}a=b`],
    ['a=1; \xa0Path=/', `a=1; Path=${orders}`],
    ['a=1; Domain=example.com; Path=/', `a=1; Path=${root}`],
    ['a=1; DOMAIN = .example.com ;domain=', `a=1; Path=${orders}`],
    ['a="b c, d"; Path=/', `a="b c, d"; Path=${root}`],
    ['a==b=; Path=/', `a==b=; Path=${root}`],
    ['a=; Path=/; Max-Age=0', `a=; Path=${root}; Max-Age=0`],
    ['a="x; Path=/; y"', `a="x; Path=${root}`],
  ] as const
  for (const [given, expected] of rows) assert.deepEqual(await cookiesOf([given]), [expected], given)
})

test('attributes that browsers know stay, each once and with a valid value, and others are removed', async (t) => {
  const cookiesOf = await startApi(t)
  const date = 'Wed, 21 Oct 2026 07:28:00 GMT'
  const given = `a=1; expires=${date}; MAX-AGE=60; secure; HTTPONLY=1; SameSite=lax; Partitioned; Priority=High; x=y; z`
  const all = `Expires=${date}; Max-Age=60; Secure; HttpOnly; SameSite=lax; Partitioned; Priority=High`
  assert.deepEqual(await cookiesOf([given]), [`a=1; Path=${orders}; ${all}`])
  const odd = 'a=1; Max-Age=1; Max-Age=2; Max-Age=x; SameSite=; SameSite=Evil; Secure; Secure; ; =; Expires'
  assert.deepEqual(await cookiesOf([odd]), [`a=1; Path=${orders}; Max-Age=2; Secure`])
})

test('a cookie without a path gets the path of the call', async (t) => {
  const cookiesOf = await startApi(t, {})
  for (const [path, expected] of [
    ['/', root],
    ['/x', root],
    ['/x/', `${root}x`],
    ['/x/y/z', `${root}x/y`],
    ['/a b/c', `${root}a%20b`],
  ] as const)
    assert.deepEqual(await cookiesOf(['a=1'], path), [`a=1; Path=${expected}`], path)
  assert.deepEqual(await cookiesOf(['a=1; Path=/', 'b=2; Path=/x']), [`a=1; Path=${root}`, `b=2; Path=${root}x`])
})

test('a __Host- cookie, or one without a name or with a control character, is left out, and logged without its text', async (t) => {
  const cookiesOf = await startApi(t)
  const lines = [
    '__Host-sid=the-value; Secure; Path=/',
    '__HOST-sid=the-value; Secure; Path=/',
    ' __Host-sid = the-value',
    '__Host-Http-sid=the-value; Secure; HttpOnly; Path=/',
    'the-value',
    '=the-value',
    '=__Host-sid=the-value',
    '; Path=/',
    '',
    'a=the-value\x80; Path=/',
    'a=the-value;\x85Path=/',
  ]
  for (const line of lines) {
    const log = captureLog(t)
    assert.deepEqual(await cookiesOf([line, 'b=2; Path=/']), [`b=2; Path=${root}`], JSON.stringify(line))
    const said = log.filter(({ event }) => event === 'api_header_left_out')
    assert.equal(said.length, 1, JSON.stringify(line))
    assert.doesNotMatch(JSON.stringify(said), /the-value|sid/)
  }
  const secure = '__Secure-sid=x; Secure; Domain=example.com; Path=/'
  assert.deepEqual(await cookiesOf([secure]), [`__Secure-sid=x; Path=${root}; Secure`])
})

test('cookies that are folded into one header are split, but not at a comma in a value or a date', async (t) => {
  const cookiesOf = await startApi(t)
  const date = 'Wed, 21 Oct 2026 07:28:00 GMT'
  assert.deepEqual(
    await cookiesOf([`a=1; Path=/; Expires=${date}, b=2; Path=/v1/x,c=3; HttpOnly, __Host-d=4; Path=/`]),
    [`a=1; Path=${root}; Expires=${date}`, `b=2; Path=${root}x`, `c=3; Path=${orders}; HttpOnly`],
  )
  assert.deepEqual(await cookiesOf(['a=1,b=2; Path=/']), [`a=1,b=2; Path=${root}`])
})

test('a client sends a cookie only to its connection, whatever the cookie says', async (t) => {
  const cookiesOf = await startApi(t)
  const paths = [
    '/',
    '/v1',
    '/v1/',
    '/connections',
    '/connections/b/api/',
    '/v1/..',
    '/v1/x;',
    '//',
    '',
    '*',
    '/%2e%2e/',
  ]
  const names = ['Path', 'path', ' PATH ', 'Path\t', '\tpAth', 'Domain', '$Path']
  for (const name of names)
    for (const path of paths)
      for (const line of [
        `a=1;${name}=${path}`,
        `a=1;${name}=/;${name}=${path}`,
        `a=1, b=2;${name}=${path}, c=3;${name}=/`,
        `a=";${name}=${path};"`,
        `a=1;${name}="${path}"`,
      ])
        for (const cookie of await cookiesOf([line])) {
          for (const other of [
            '/',
            '/connections',
            '/connections/b/api/x',
            '/connections/conn/token',
            '/connections/conn2/api/',
          ])
            assert.equal(isSentTo(cookie, other), false, `${line} ${cookie} ${other}`)
          assert.doesNotMatch(cookie, /domain/i)
        }
  const [wide = ''] = await cookiesOf(['a=1; Path=/'])
  assert.ok(isSentTo(wide, '/connections/conn/api/anything'))
})
