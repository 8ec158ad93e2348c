import assert from 'node:assert/strict'
import dns from 'node:dns'
import { createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { listen } from '../../infra/local/listen.ts'
import { cloudformationAnswers } from '../../lib/adapters/aws/cloudformation-response.ts'
import { exampleIssuer, mistakesOf } from '../support/elements/element-store.ts'
import { exampleElements } from '../support/elements/elements.ts'
import { startCallApiWithScriptedServers } from '../support/functions/call-api-with-scripted-servers.ts'
import {
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest } from '../support/functions/load-function.ts'
import { captureLog } from '../support/output/captured-log.ts'
import { startScriptedApi } from '../support/servers/scripted-api.ts'
import { type ChosenHost, chosenHosts, within } from './chosen-hosts.ts'

/*
 * Only elements decide where requests go, and they can name only servers with TLS. A caller can't add a target: not by
 * a path, not by a header, and not by an answer of the far end. A token answer may choose a host only where hostFrom allows it.
 */

/** Bad targets of any kind. Each must be found when the elements are read, not when a request is sent. */
const nowhere = [
  'file:///etc/passwd',
  'ftp://as.example.com/token',
  'gopher://as.example.com/_POST',
  'data:application/json,{}',
  'javascript:alert(1)',
  'unix:/var/run/docker.sock',
  'http+unix://%2Fvar%2Frun%2Fdocker.sock/token',
  'ws://as.example.com/token',
  'as.example.com/token',
  '//as.example.com/token',
  '/token',
  'https:as.example.com',
  'https:/as.example.com',
  'https:\\\\as.example.com',
  'https://',
  'https://@evil.example/',
  'https://user@as.example.com/',
  'https://user:password@as.example.com/',
  'https://as.example.com:x@evil.example/',
  'https://as.example.com\\@evil.example/',
  'https://as.example.com\r\nhost: evil.example/',
  'https://as.example.com/\nx',
  'https://as.exa\tmple.com/',
  'https://as.example.com/\0',
  'https://as.example.com/\u007f',
  'https://as.example.com/#fragment',
  'https://as.example.com:65536/',
  'https://as.example.com:-1/',
  'https://as.example.com/a b',
  'https://\u0430s.example.com/',
  'https://as\u3002example.com/',
  'https://[::1/',
  'https://256.0.0.1/',
  '',
  ' ',
  7,
  null,
  ['https://as.example.com/'],
  { url: 'https://as.example.com/' },
]
/** Addresses with plain HTTP. A server that answers there gives its credentials to anyone. */
const plain = [
  'http://169.254.169.254/',
  'http://169.254.170.2/',
  'http://[fd00:ec2::254]/',
  'http://[::ffff:169.254.169.254]/',
  'http://2852039166/',
  'http://0xa9fea9fe/',
  'http://0251.0376.0251.0376/',
  'http://metadata.google.internal/',
  'http://localhost.evil.example/',
  'http://127.0.0.1.evil.example/',
  'http://0.0.0.0/',
  'http://[::]/',
  'http://as.example.com/',
  'HTTP://AS.EXAMPLE.COM/',
]
test('a tokenEndpoint that is not an https:// address is a mistake before any request, and its value is not repeated', async (t) => {
  for (const tokenEndpoint of [...nowhere, ...plain])
    for (const more of [{}, { allowLoopbackHttp: true }]) {
      const lines = await mistakesOf(t, exampleElements(exampleIssuer, { server: { tokenEndpoint, ...more } }))
      const what = JSON.stringify(tokenEndpoint)
      assert.ok(
        lines.some((line) => /^authorizationServer\/theServer tokenEndpoint: /.test(line)),
        `${what}: ${lines.join()}`,
      )
      assert.doesNotMatch(lines.join(), /password@|evil\.example/, what)
    }
})

test('a host that is not https://, or has a path or query, is a mistake too', async (t) => {
  const more = [
    'https://api.example.com/path',
    'https://api.example.com/?a=b',
    'https://api.example.com?',
    'http://localhost',
    'http://127.0.0.1:8080',
  ]
  for (const host of [...nowhere, ...plain, ...more]) {
    const lines = await mistakesOf(t, exampleElements(exampleIssuer, { endpoint: { host } }))
    assert.ok(
      lines.some((line) => /^endpointConnection\/conn host: /.test(line)),
      `${JSON.stringify(host)}: ${lines.join()}`,
    )
    assert.doesNotMatch(lines.join(), /password@|evil\.example/)
  }
})

test('allowLoopbackHttp is for a local run: on Lambda, where the runtime listens on loopback, it is a mistake', async (t) => {
  const deployment = { stage: 'local', publicUrl: 'https://tokenwell.example', isLambda: true }
  for (const tokenEndpoint of ['http://127.0.0.1:9001/2018-06-01/runtime/invocation/next', 'http://localhost/token'])
    assert.match(
      (
        await mistakesOf(
          t,
          exampleElements(exampleIssuer, { server: { tokenEndpoint, allowLoopbackHttp: true } }),
          deployment,
        )
      ).join(),
      /allowLoopbackHttp: It is only for servers on your own machine, not for Lambda\./,
    )
})

test('a domainBasePath that could lead to another host, or out of itself, is a mistake', async (t) => {
  for (const domainBasePath of [
    '//evil.example',
    '/..',
    '/a/../b',
    '/a/./b',
    '/a//b',
    '/..;/b',
    '/%2e%2e',
    'a',
    '@evil.example',
    '/a?b',
    '/a#b',
    '/a\\b',
    '/a\r\nb',
    '/a b',
    '/ä',
  ]) {
    const lines = await mistakesOf(
      t,
      exampleElements(exampleIssuer, { endpoint: { host: 'https://api.example.com', domainBasePath } }),
    )
    assert.match(lines.join(), /^endpointConnection\/conn domainBasePath: /, domainBasePath)
  }
})

test('a proxy is exactly the host and port of its element, without anything else', async (t) => {
  for (const host of [
    'http://proxy.example',
    'proxy.example:3128',
    'user@proxy.example',
    'proxy.example/x',
    'proxy.example\r\nx',
    '/var/run/docker.sock',
    '[::1]',
    '127.1',
    '0x7f.1',
    '2130706433',
    'fe80::1%eth0',
    '*',
  ]) {
    const proxyConfig = { theProxy: { host, port: 3128 } }
    for (const changes of [
      { server: { proxyConfigRef: 'theProxy' } },
      { endpoint: { host: 'https://api.example.com', proxyConfigRef: 'theProxy' } },
    ]) {
      const lines = await mistakesOf(t, { ...exampleElements(exampleIssuer, changes), proxyConfig })
      assert.match(lines.join(), /^proxyConfig\/theProxy host: /, host)
    }
  }
})

const bucket = 'cloudformation-custom-resource-response'

test('the answer of a deployment goes only to the buckets of CloudFormation, whatever server the invoker names', async (t) => {
  const elsewhere = await startElsewhere(t)
  const answers = cloudformationAnswers(undefined)
  for (const host of [
    `${bucket}-euwest1.s3.eu-west-1.amazonaws.com`,
    `${bucket}-euwest1.s3-eu-west-1.amazonaws.com`,
    `${bucket}-euwest1.s3.dualstack.eu-west-1.amazonaws.com`,
    `${bucket}-useast1.s3.amazonaws.com`,
    `${bucket}-useast1.s3.us-east-1.amazonaws.com`,
    `${bucket}-usgovwest1.s3.us-gov-west-1.amazonaws.com`,
    `${bucket}-cnnorthwest1.s3.cn-northwest-1.amazonaws.com.cn`,
    `${bucket}-euscdeeast1.s3.eusc-de-east-1.amazonaws.eu`,
    `${bucket}-usisobeast1.s3.us-isob-east-1.sc2s.sgov.gov`,
  ])
    assert.equal(answers.isOfCloudformation(`https://${host}/arn%3Aaws?X-Amz-Signature=x`), true, host)

  const own = `${bucket}-euwest1.s3.eu-west-1.amazonaws.com`
  for (const url of [
    ...[...nowhere, ...plain].filter((each) => typeof each === 'string'),
    `http://${own}/x`,
    `https://user@${own}/x`,
    `https://user:password@${own}/x`,
    `https://${own}:8443/x`,
    `https://${own}.evil.example/x`,
    `https://${own}@evil.example/x`,
    `https://evil.example/${own}`,
    `https://evil.example#${own}`,
    `https://evil-${own}/x`,
    `https://evil.${own}/x`,
    `https://${bucket}-evil.s3.eu-west-1.amazonaws.com/x`,
    `https://${bucket}-euwest2.s3.eu-west-1.amazonaws.com/x`,
    `https://${bucket}-euwest1.s3.amazonaws.com/x`,
    `https://${bucket}-euwest1x.s3.eu-west-1.amazonaws.com/x`,
    `https://${bucket}-euwest1.s3.eu-west-1.evil.example/x`,
    `https://${bucket}-euwest1.s3-evil.eu-west-1.amazonaws.com/x`,
    `https://${bucket}-euwest1.execute-api.eu-west-1.amazonaws.com/x`,
    `https://s3.eu-west-1.amazonaws.com/${bucket}-euwest1/x`,
    'https://169.254.169.254/latest/meta-data',
    `https://localhost:${elsewhere.port}/x`,
    `http://localhost:${elsewhere.port}/x`,
    `http://127.0.0.1:${elsewhere.port}/x`,
  ]) {
    assert.equal(answers.isOfCloudformation(url), false, url)
    await assert.rejects(answers.send(url, {}), /was not sent/, url)
  }
  assert.equal(elsewhere.connections(), 0)
})

test('only a setting of the function lets the answer of a deployment go to an emulator, and only to that one', async (t) => {
  const elsewhere = await startElsewhere(t)
  const { isOfCloudformation } = cloudformationAnswers(`http://localhost:${elsewhere.port}`)
  assert.equal(isOfCloudformation(`http://localhost:${elsewhere.port}/x`), true)
  for (const url of [
    `http://localhost:${elsewhere.port + 1}/x`,
    `http://127.0.0.1:${elsewhere.port}/x`,
    `https://localhost:${elsewhere.port}/x`,
    `http://user@localhost:${elsewhere.port}/x`,
    `http://localhost:${elsewhere.port}@evil.example/x`,
    'null',
  ])
    assert.equal(isOfCloudformation(url), false, url)
})

/** A place that no request should reach. It counts every connection. */
async function startElsewhere(t: TestContext): Promise<{ readonly port: number; readonly connections: () => number }> {
  let connections = 0
  const server = createServer((socket) => {
    connections++
    socket.destroy()
  })
  const port = await listen(server, 0, 'localhost')
  t.after(() => void server.close())
  return { port, connections: () => connections }
}

const proxyVariables = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy']

test('no environment variable sets a proxy, for tokens or for calls', async (t) => {
  const elsewhere = await startElsewhere(t)
  const url = `http://localhost:${elsewhere.port}`
  const environment = Object.fromEntries(proxyVariables.map((name) => [name, url]))
  Object.assign(process.env, environment)
  t.after(() => {
    for (const name of proxyVariables) delete process.env[name]
  })
  const { call, tokens } = await startCallApiWithScriptedServers(t, undefined, {
    environment: { ...environment, NODE_USE_ENV_PROXY: '1' },
  })
  assert.equal((await call()).status, 200)
  assert.equal((await tokens.http(tokenRequest('conn'))).status, 200)
  assert.equal(elsewhere.connections(), 0)
})

test('no path, query, header or cookie of a call makes a connection to another origin', async (t) => {
  const other = await startScriptedApi(t)
  const { call, api } = await startCallApiWithScriptedServers(t)
  const authority = `localhost:${other.port}`
  const paths = [
    `//${authority}/x`,
    `/${other.origin}/x`,
    `/@${authority}/x`,
    `/\\${authority}/x`,
    `/\\\\${authority}/x`,
    `:${other.port}/x`,
    `@${authority}/x`,
    `.${authority}/x`,
    `/x/..//${authority}/`,
    `/\t/${authority}/`,
    `/\n/${authority}/`,
    `/%2f%2f${authority}/`,
    `/\uff0f\uff0f${authority}/`,
    `/x HTTP/1.1\r\nHost: ${authority}\r\n\r\nGET / HTTP/1.1`,
  ]
  for (const path of paths) await call({ path })
  await call({ path: '/x', query: `url=${other.origin}&host=${authority}` })
  await call({ path: '/x', query: `@${authority}` })
  const named = [
    'host',
    'Host',
    ':authority',
    'x-forwarded-host',
    'x-original-url',
    'x-rewrite-url',
    'forwarded',
    'proxy',
    'proxy-authorization',
    'origin',
    'referer',
    'location',
    'upgrade',
    'alt-svc',
    'x-host',
  ]
  for (const name of named)
    for (const value of [authority, other.origin, `${authority}\r\nhost: ${authority}`])
      await call({ headers: { [name]: value, connection: name } })
  await call({ method: 'CONNECT', path: `/${authority}` })
  await call({ cookies: [`host=${authority}`, `a\r\nhost: ${authority}`] })
  await call({ connection: `conn@${authority}` })
  await call({ connection: other.origin })
  assert.equal(other.connections(), 0)
  assert.ok(api.requests.length > 20)
  for (const { headers, url } of api.requests) {
    assert.equal(headers.host, `localhost:${api.port}`)
    assert.ok(url.startsWith('/') && !url.startsWith('//'), url)
  }
})

test('nothing that an API answers makes a connection to another origin', async (t) => {
  const other = await startScriptedApi(t)
  const place = `${other.origin}/x`
  const answers = [
    ...[300, 301, 302, 303, 305, 307, 308].map((status) => ({ status, headers: { location: place } })),
    { status: 201, headers: { location: place, 'content-location': place } },
    {
      status: 401,
      headers: {
        'www-authenticate': `Bearer error="invalid_token", resource_metadata="${place}", authorization_uri="${place}"`,
      },
    },
    { status: 407, headers: { 'proxy-authenticate': `Basic realm="${place}"` } },
    {
      headers: {
        refresh: `0; url=${place}`,
        'alt-svc': `h2="localhost:${other.port}"; ma=60`,
        link: `<${place}>; rel=preload`,
      },
    },
    { status: 421, headers: {} },
  ]
  const { call, api } = await startCallApiWithScriptedServers(
    t,
    (_request, _response, index) => answers[index % answers.length],
  )
  for (const method of ['GET', 'POST'])
    for (const _answer of answers) await call({ method, ...(method === 'POST' && { body: 'x' }) })
  assert.ok(api.requests.length >= answers.length * 2)
  assert.equal(other.connections(), 0)
})

test("a client that follows references in an API's answer reaches this connection or the API, and no other connection", async (t) => {
  const other = await startScriptedApi(t)
  const victim = '/connections/other/token'
  const places = [
    victim,
    `..${victim}`,
    `../../../..${victim}`,
    `./../..${victim}?x#y`,
    `\\\\x\\..\\..${victim.replaceAll('/', '\\')}`,
    `/x/%2e%2e/%2E.${victim}`,
    `https:${victim}`,
    `HTTPS:/${victim}`,
    `/\t${victim}`,
    `${victim}/%2e%2e/%2e%2e/..`,
    `//localhost:${other.port}${victim}`,
    `/${victim}`,
    `//${victim}`,
    `javascript:fetch('${victim}')`,
    `http://[${victim}`,
    `?${victim}`,
    `#${victim}`,
    '',
  ]
  const headersOf = (place: string) => ({
    location: place,
    'content-location': place,
    refresh: `0;url=${place}`,
    link: `<${place}>; rel=next; anchor="${place.replaceAll('\\', '\\\\')}"`,
  })
  const { call, api } = await startCallApiWithScriptedServers(t, (_request, _response, index) => ({
    status: 302,
    headers: headersOf(places[index] ?? ''),
  }))
  const allowed = [
    /^https:\/\/tokenwell\.example\/connections\/conn\/api\//,
    new RegExp(`^${api.origin}/`),
    /^https:\/\/(x|localhost:\d+|connections)\//,
  ]
  for (const place of places) {
    const { headers } = await call({ path: '/a/b' })
    const { location, 'content-location': content, refresh, link } = headers
    const [, target, anchor] = /^<(.*?)>.* anchor="?(.*?)"?$/.exec(String(link ?? '')) ?? []
    const followed = [location, content, /^0; url=(.*)/.exec(String(refresh ?? ''))?.[1], target, anchor]
    for (const each of followed.filter((one) => one !== undefined)) {
      const url = new URL(String(each), 'https://tokenwell.example/connections/conn/api/a/b')
      assert.ok(
        allowed.some((pattern) => pattern.test(url.href)),
        `${place} ${url.href}`,
      )
      // A browser and another client resolve tabs, backslashes and dots in different ways, and must reach the same
      // place.
      assert.match(String(each), /^(\/connections\/conn\/api\/|https:\/\/)[\x21-\x5b\x5d-\x7e]*$/, place)
    }
  }
  assert.equal(api.requests.length, places.length)
  assert.equal(other.connections(), 0)
})

test('nothing that a token endpoint answers, and nothing that a caller asks for, makes a connection to another origin', async (t) => {
  const other = await startScriptedApi(t)
  const place = `${other.origin}/token`
  const answers = [
    ...[301, 302, 303, 307, 308].map((status) => ({ status, headers: { location: place } })),
    tokenAnswer({ token_endpoint: place, jwks_uri: place, resource: place }),
    {
      status: 401,
      headers: { 'www-authenticate': `Bearer resource_metadata="${place}"` },
      body: { error: 'invalid_client', error_uri: place },
    },
  ]
  for (const answer of answers) {
    const set = await startIssueTokenWithScriptedServer(t, exampleElements, () => answer)
    await set.http(tokenRequest('conn'))
    assert.equal(set.requests.length, 1, JSON.stringify(answer))
  }
  const names = [
    'resource',
    'audience',
    'token_endpoint',
    'issuer',
    'redirect_uri',
    'request_uri',
    'jwks_uri',
    'jku',
    'x5u',
    'proxy',
    'host',
  ]
  // Parameters that the elements do not list are not sent.
  const requestMay = Object.fromEntries(names.map((name) => [name, true]))
  const elements = (issuer: string) => exampleElements(issuer, { oAuth: { requestMay } })
  const set = await startIssueTokenWithScriptedServer(t, elements, () => tokenAnswer())
  for (const name of names) {
    const answer = await set.invoke({ connection: 'conn', [name]: place })
    assert.equal(answer['source'], 'server', name)
  }
  assert.equal(set.requests.length, names.length, 'all requests went to the endpoint in the elements')
  assert.equal(other.connections(), 0)
})

/** Each name but localhost has these addresses. */
const privateAddresses = [
  '10.0.0.1',
  '127.0.0.1',
  '169.254.169.254',
  '192.168.0.1',
  '::1',
  'fd00:ec2::254',
  '::ffff:10.0.0.1',
]

/** The DNS, which is a far end: it knows this machine, and leads every other name to a private address. Returns the names. */
function leadToPrivateAddresses(t: TestContext): readonly string[] {
  const names: string[] = []
  const real = dns.lookup
  const lookup = (name: string, options: object, callback: (error: Error | null, found: unknown) => void) => {
    if (name === 'localhost') return real(name, options as dns.LookupAllOptions, callback as never)
    names.push(name)
    const found = privateAddresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
    callback(null, found)
  }
  t.mock.method(dns, 'lookup', lookup as never)
  return names
}

/** call-api with one connection for each row. The token answer of each has the row's value as instance_url. */
async function startWithChosenHosts(t: TestContext, rows: readonly ChosenHost[]) {
  return await startCallApiWithScriptedServers(t, undefined, {
    elements: { oAuth: { hostFrom: { member: 'instance_url', within } } },
    moreElements: ({ endpointConnection = {} }) => {
      const { host: _host, directInvocation: _direct, ...attributes } = endpointConnection['conn'] ?? {}
      return { endpointConnection: Object.fromEntries(rows.map((_row, index) => [`row-${index}`, attributes])) }
    },
    tokens: (_request, _response, index) => tokenAnswer({ instance_url: rows[index]?.value }),
  })
}

test('a token answer can choose no host but those that hostFrom allows, and no private address, however it names it', async (t) => {
  const names = leadToPrivateAddresses(t)
  const log = captureLog(t)
  const { call, tokens, api } = await startWithChosenHosts(t, chosenHosts)
  for (const [index, { value, outcome, host }] of chosenHosts.entries()) {
    const what = JSON.stringify(value)
    const [lookedUp, told] = [names.length, log.length]
    const { status, proxyError } = await call({ connection: `row-${index}` })
    assert.equal(tokens.requests.length, index + 1, what)
    const isAllowed = outcome === 'looked_up'
    assert.deepEqual(
      [status, proxyError],
      [502, isAllowed ? 'destination_ip_prohibited' : 'destination_not_found'],
      what,
    )
    assert.deepEqual(names.slice(lookedUp), isAllowed ? [host] : [], what)
    const [refused, ...more] = log.slice(told).filter(({ event }) => event === 'api_host_refused')
    assert.deepEqual(more, [])
    assert.equal(refused && 'why' in refused && refused.why, isAllowed ? 'not_public' : outcome, what)
  }
  assert.equal(api.connections(), 0)
})

test('a refused value is not repeated to the caller or in the log, except for the name of a host', async (t) => {
  const log = captureLog(t)
  const values = [
    'https://user:hunter2@acme.my.salesforce.com',
    'https://acme.my.salesforce.com/hunter2?hunter2#hunter2',
  ]
  const rows = values.map((value) => ({ value, outcome: 'not_an_origin' as const }))
  const { call } = await startWithChosenHosts(t, rows)
  for (const [index] of rows.entries())
    assert.doesNotMatch(JSON.stringify(await call({ connection: `row-${index}` })), /hunter2|acme/)
  assert.doesNotMatch(JSON.stringify(log), /hunter2|acme/)
})
