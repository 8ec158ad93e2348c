import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type CallApiWithScriptedServers,
  startCallApiWithScriptedServers,
} from '../../support/functions/call-api-with-scripted-servers.ts'
import { captureLog } from '../../support/output/captured-log.ts'
import type { Script } from '../../support/servers/scripted-api.ts'

/* A reference of an API leads to Tokenwell if it belongs to the connection, and else to its own host: never to another connection. */

const tokenwell = 'https://tokenwell.example'
const here = `${tokenwell}/connections/conn/api`

/** An API below /v1. The head of its next answer has these lines, as bytes. */
async function startApi(t: Parameters<typeof startCallApiWithScriptedServers>[0]) {
  const next = { head: '', status: 200 }
  const script: Script = ({ socket }) => {
    const bytes = `HTTP/1.1 ${next.status} X\r\n${next.head}content-length: 2\r\n\r\n{}`
    socket.write(Buffer.from(bytes, 'latin1'))
    return undefined
  }
  const set = await startCallApiWithScriptedServers(t, script, { elements: { endpoint: { domainBasePath: '/v1' } } })
  async function answerTo(head: string, request?: Parameters<CallApiWithScriptedServers['call']>[0]) {
    next.head = head
    const answer = await set.call(request)
    assert.equal(answer.status, 200, head)
    return answer
  }
  return { ...set, answerTo }
}

/** Resolves the reference against the called URL and calls it, as a client does. Returns the URL that the API saw. */
async function follow({ call, api }: CallApiWithScriptedServers, reference: string): Promise<string | undefined> {
  const url = new URL(reference, `${here}/anything`)
  if (!url.href.startsWith(`${here}/`)) return undefined
  const path = decodeURIComponent(url.pathname).slice('/connections/conn/api'.length)
  await call({ path, query: url.search.slice(1) })
  return api.origin + api.requests.at(-1)?.url
}

test('a location of the connection becomes a path of Tokenwell that leads to the same URL', async (t) => {
  const set = await startApi(t)
  const { answerTo, api } = set
  const rows = [
    // From /v1/orders/7?x=1
    ['/v1/orders/42', '/orders/42'],
    ['42', '/orders/42'],
    ['../items/', '/items/'],
    ['./', '/orders/'],
    ['', '/orders/7?x=1'],
    ['?page=2', '/orders/7?page=2'],
    ['#top', '/orders/7?x=1#top'],
    ['/v1/', '/'],
    ['/v1/orders?a=%20b&c=d%2Fe#f?g', '/orders?a=%20b&c=d%2Fe#f?g'],
    ['/v1/a%20b/%c3%a4/%E2%82%AC', '/a%20b/%c3%a4/%E2%82%AC'],
    ['/v1/%7Ejoe/x.json', '/%7Ejoe/x.json'],
    ["/v1/orders(42)/$ref;v=1,2!*'@:", "/orders(42)/$ref;v=1,2!*'@:"],
    ['/v1/orders//42', '/orders//42'],
    ['/v1/x/../orders', '/orders'],
    ['/v1/x/%2e%2E/orders', '/orders'],
    ['\\v1\\orders', '/orders'],
    ['/v1/or\tders', '/orders'],
    ['/v1/\xc3\xa4', '/%C3%A4'],
    ['https:/v1/orders', '/orders'],
    [`${api.origin}/v1/orders`, '/orders'],
    [`HTTPS://LOCALHOST:${api.port}/v1/orders`, '/orders'],
    [`//localhost:${api.port}/v1/orders`, '/orders'],
    ['/v1/https://evil.example/', '/https://evil.example/'],
    ['/v1/connections/b/api/x', '/connections/b/api/x'],
  ] as const
  for (const [location, path] of rows) {
    const request = { path: '/orders/7', query: 'x=1' }
    const { headers } = await answerTo(`Location: ${location}\r\n`, request)
    assert.equal(headers['location'], `/connections/conn/api${path}`, location)
    const meant = new URL(Buffer.from(location, 'latin1').toString(), `${api.origin}/v1/orders/7?x=1`)
    meant.hash = ''
    const seen = await follow(set, String(headers['location']))
    assert.equal(decodeURI(seen ?? ''), decodeURI(meant.href), location)
  }
})

test('a location elsewhere becomes absolute, also on the same host: no client resolves it against Tokenwell', async (t) => {
  const { answerTo, api } = await startApi(t)
  const rows = [
    ['/connections/b/api/orders', `${api.origin}/connections/b/api/orders`],
    ['../../../connections/b/token', `${api.origin}/connections/b/token`],
    ['/v1', `${api.origin}/v1`],
    ['/v1?a=b', `${api.origin}/v1?a=b`],
    ['/v10/orders', `${api.origin}/v10/orders`],
    ['/V1/orders', `${api.origin}/V1/orders`],
    ['/v1/../v2/x', `${api.origin}/v2/x`],
    ['/v1/%2e%2e/v2', `${api.origin}/v2`],
    ['//evil.example/x', 'https://evil.example/x'],
    ['\\\\evil.example\\x', 'https://evil.example/x'],
    ['/\\evil.example', 'https://evil.example/'],
    ['/\t/evil.example/x', 'https://evil.example/x'],
    ['https://evil.example', 'https://evil.example/'],
    ['http://localhost/v1/x', 'http://localhost/v1/x'],
    [`http://localhost:${api.port}/v1/x`, `http://localhost:${api.port}/v1/x`],
    [`https://localhost.:${api.port}/v1/x`, `https://localhost.:${api.port}/v1/x`],
    [`https://user@localhost:${api.port}/v1/x`, `https://user@localhost:${api.port}/v1/x`],
    // A call can't reach this URL.
    ['/v1//evil.example/x', `${api.origin}/v1//evil.example/x`],
    ['/v1/a%2Fb', `${api.origin}/v1/a%2Fb`],
    ['/v1/a%5Cb', `${api.origin}/v1/a%5Cb`],
    ['/v1/a%252Fb', `${api.origin}/v1/a%252Fb`],
    ['/v1/a%00b', `${api.origin}/v1/a%00b`],
    ['/v1/%ff', `${api.origin}/v1/%ff`],
    ['/v1/%zz', `${api.origin}/v1/%zz`],
    ['/v1/..;/x', `${api.origin}/v1/..;/x`],
    ['/v1/%ef%bc%8e%ef%bc%8e/x', `${api.origin}/v1/%ef%bc%8e%ef%bc%8e/x`],
    ['/v1/a%28b', `${api.origin}/v1/a%28b`],
    ['/v1/x?', `${api.origin}/v1/x?`],
    ['/v1/x?X-Amz-Signature=abc', `${api.origin}/v1/x?X-Amz-Signature=abc`],
    ['mailto:joe@example.com', 'mailto:joe@example.com'],
  ] as const
  for (const [location, expected] of rows)
    for (const name of ['Location', 'content-location', 'Content-Base', 'OPERATION-LOCATION', 'Azure-AsyncOperation'])
      assert.equal((await answerTo(`${name}: ${location}\r\n`)).headers[name.toLowerCase()], expected, location)
})

test('a reference that is not a URL, or would run a script, is left out, and the log does not repeat it', async (t) => {
  const { answerTo } = await startApi(t)
  for (const reference of [
    'https://',
    'https://a b/',
    'https://evil.example:99999/',
    'https://[::1',
    '//',
    'javascript:alert(1)',
    'JaVa\tScript:alert(1)',
    ' javascript:alert(1)',
    'data:text/html,<script>',
    'vbscript:x',
    'blob:https://tokenwell.example/x',
    'about:srcdoc',
    'file:///etc/passwd',
    'view-source:x',
  ])
    for (const head of [`Location: ${reference}`, `Refresh: 0; url=${reference}`, `Link: <${reference}>; rel=next`]) {
      const log = captureLog(t)
      const { headers } = await answerTo(`${head}\r\n`)
      const [name = ''] = head.toLowerCase().split(':')
      assert.equal(headers[name], undefined, head)
      const lines = log.filter(({ event }) => event === 'api_header_left_out')
      assert.equal(lines.length, 1, head)
      assert.match(JSON.stringify(lines), new RegExp(`"connection":"conn","header":"${name}"`))
      assert.doesNotMatch(JSON.stringify(lines), /alert|evil|script/i)
    }
})

test('several different locations are dropped, and a repeated one comes back once', async (t) => {
  const { answerTo } = await startApi(t)
  assert.equal((await answerTo('Location: /v1/a\r\nLocation: /v1/b\r\n')).headers['location'], undefined)
  const twice = await answerTo('Location: /v1/a\r\nLocation: /v1/a\r\n')
  assert.equal(twice.headers['location'], '/connections/conn/api/a')
})

test('in a named stage of the HTTP API, the path begins with the stage', async (t) => {
  const { answerTo } = await startApi(t)
  const head = 'Location: /v1/a\r\nLink: <b>; rel=next\r\nSet-Cookie: c=d\r\n'
  const { headers, cookies } = await answerTo(head, { stage: 'prod', path: '/x/y' })
  assert.equal(headers['location'], '/prod/connections/conn/api/a')
  assert.equal(headers['link'], '</prod/connections/conn/api/x/b>; rel=next')
  assert.deepEqual(cookies, ['c=d; Path=/prod/connections/conn/api/x'])
})

test('each link of a Link header is mapped, with its anchor; other parameters stay', async (t) => {
  const { answerTo, api } = await startApi(t)
  const rows = [
    ['</v1/a>; rel=next', '</connections/conn/api/a>; rel=next'],
    ['<a>;rel="next";title="x, <y>; \\"z\\""', '</connections/conn/api/a>; rel=next; title="x, <y>; \\"z\\""'],
    [
      '</v1/a?b=c,d>; rel="prev next", <//evil.example/x>; rel=up',
      '</connections/conn/api/a?b=c,d>; rel="prev next", <https://evil.example/x>; rel=up',
    ],
    ['</connections/b/api/x>; rel=next', `<${api.origin}/connections/b/api/x>; rel=next`],
    ['<a>; rel=x; anchor="/connections/b/"', `</connections/conn/api/a>; rel=x; anchor="${api.origin}/connections/b/"`],
    ['<a>; rel=x; ANCHOR="#foo"', '</connections/conn/api/a>; rel=x; ANCHOR="/connections/conn/api/#foo"'],
    [', ,<a> , ,<b>;; rel=x ;,', '</connections/conn/api/a>, </connections/conn/api/b>; rel=x'],
    ["<a>; title*=UTF-8'de'%C3%A4; crossorigin", "</connections/conn/api/a>; title*=UTF-8'de'%C3%A4; crossorigin"],
    ['<a>; as=image; imagesrcset="/connections/b/x 2x"', '</connections/conn/api/a>; as=image'],
    ['<urn:x:y>; rel=profile', '<urn:x:y>; rel=profile'],
    // Clients differ in reading what follows a part that is not a link.
    ['<a>; rel=next, /connections/b; rel=x, <c>', '</connections/conn/api/a>; rel=next'],
    ['<a>; rel="next, <c>; rel=x', undefined],
    ['<a>, <b', '</connections/conn/api/a>'],
    ['<a> x, <b>', undefined],
    ['/connections/b', undefined],
  ] as const
  for (const [link, expected] of rows)
    assert.equal((await answerTo(`Link: ${link}\r\n`)).headers['link'], expected, link)
  const several = await answerTo('Link: <a>; rel=x\r\nX-Other: 1\r\nLink: <b>; rel=y\r\n')
  assert.equal(several.headers['link'], '</connections/conn/api/a>; rel=x, </connections/conn/api/b>; rel=y')
})

test('a refresh is mapped like a location, in all its forms', async (t) => {
  const { answerTo, api } = await startApi(t)
  const rows = [
    ['5', '5'],
    ['0;', '0'],
    ['1.5; url=a', '1; url=/connections/conn/api/a'],
    ['5; url=/v1/a', '5; url=/connections/conn/api/a'],
    ['5;URL="/v1/a"', '5; url=/connections/conn/api/a'],
    ["5 , Url = '/v1/a' and more", '5; url=/connections/conn/api/a'],
    ['5 /v1/a', '5; url=/connections/conn/api/a'],
    ["5; '/v1/a'", '5; url=/connections/conn/api/a'],
    ['5; url', '5; url=/connections/conn/api/url'],
    ['0; url=/connections/b/api/x', `0; url=${api.origin}/connections/b/api/x`],
    ['0; url=//evil.example', '0; url=https://evil.example/'],
    ['now; url=/x', undefined],
    ['5x; url=/x', undefined],
  ] as const
  for (const [refresh, expected] of rows)
    assert.equal((await answerTo(`Refresh: ${refresh}\r\n`)).headers['refresh'], expected, refresh)
})

test('a long header of only spaces, digits or backslashes is read quickly', async (t) => {
  const { answerTo } = await startApi(t)
  const startedAt = performance.now()
  for (const filler of [' ', '\t', '5', '.', ';', ',', '<', '"', '\\', '=', 'a', '%', '/', '../'])
    for (const head of ['Link: <a>;', 'Link: <a>; a="', 'Refresh: 5', 'Location: ', 'Set-Cookie: a=b;', 'Set-Cookie: '])
      await answerTo(`${head}${filler.repeat(14_000 / filler.length)}!\r\n`)
  assert.ok(performance.now() - startedAt < 8_000)
})

test('headers that apply to the whole origin, or instruct a proxy, are left out', async (t) => {
  const { answerTo } = await startApi(t)
  const dropped = [
    'Strict-Transport-Security: max-age=1',
    'Alt-Svc: h3=":443"',
    'Clear-Site-Data: "*"',
    'Access-Control-Allow-Origin: *',
    'access-control-allow-credentials: true',
    'Reporting-Endpoints: a="https://evil.example"',
    'Report-To: {}',
    'NEL: {}',
    'Service-Worker-Allowed: /',
    'Public-Key-Pins: pin-sha256="x"',
    'Expect-CT: max-age=1',
    'Origin-Agent-Cluster: ?1',
    'Origin-Trial: x',
    'Accept-CH: x',
    'Critical-CH: x',
    'Set-Login: logged-in',
    'Set-Cookie2: a=b',
    'Use-As-Dictionary: match="/*"',
    'Timing-Allow-Origin: *',
    'Link-Template: "/{x}"; rel=x',
    'X-Accel-Redirect: /internal',
    'Proxy-Authenticate: Basic',
  ]
  const kept = {
    'www-authenticate': 'Basic realm="x"',
    'content-security-policy': "default-src 'none'",
    'cross-origin-resource-policy': 'same-origin',
    etag: '"x"',
    vary: 'accept',
    'cache-control': 'max-age=60',
    'retry-after': '5',
    allow: 'GET',
    'x-amzn-requestid': 'x',
  }
  const lines = [...dropped, ...Object.entries(kept).map(([name, value]) => `${name}: ${value}`)]
  const { headers } = await answerTo(`${lines.join('\r\n')}\r\n`)
  assert.deepEqual(headers, kept)
})
