import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, type IncomingMessage, request as send } from 'node:http'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import { createHttpGateway, createLocalContext, type LambdaHandler } from '../../../infra/local/http-gateway.ts'
import { listen } from '../../../infra/local/listen.ts'

interface Gateway {
  readonly url: string
  readonly events: readonly APIGatewayProxyEventV2[]
  readonly contexts: readonly Context[]
}

async function startGateway(
  t: TestContext,
  answer: () => Promise<APIGatewayProxyStructuredResultV2>,
): Promise<Gateway> {
  const [events, contexts]: [APIGatewayProxyEventV2[], Context[]] = [[], []]
  const handler: LambdaHandler = (event, context) => {
    events.push(event)
    contexts.push(context)
    return answer()
  }
  const server = createHttpGateway(handler)
  const port = await listen(server, 0, '127.0.0.1')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${port}`, events, contexts }
}

/** A request with raw headers: names and values alternate and are sent unchanged. */
async function exchange(url: string, method: string, headers: readonly string[] = [], agent?: Agent) {
  const request = send(url, { method, headers: ['host', new URL(url).host, ...headers], ...(agent && { agent }) }).end()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return { status: response.statusCode, headers: response.headers, body: await text(response) }
}

test('a request becomes an event of payload format 2.0: path decoded, query as it is, names of headers in lower case', async (t) => {
  const { url, events } = await startGateway(t, async () => ({ statusCode: 204 }))
  await fetch(`${url}/a%20b/c?x=%20&y=?`, { method: 'DELETE', headers: { 'X-Some': 'value' } })
  await fetch(`${url}/100%25?`)
  const [event, odd] = events
  assert.equal(event?.version, '2.0')
  assert.equal(event.rawPath, '/a b/c')
  assert.equal(event.rawQueryString, 'x=%20&y=?')
  assert.equal(event.headers['x-some'], 'value')
  assert.equal(event.requestContext.http.method, 'DELETE')
  assert.equal(event.requestContext.http.path, '/a b/c')
  assert.equal(event.body, undefined)
  assert.equal(event.isBase64Encoded, false)
  assert.equal(event.cookies, undefined)
  assert.equal(odd?.rawPath, '/100%')
  assert.equal(odd.rawQueryString, '')
})

test('a path that cannot be decoded as UTF-8 is a 400 that does not reach the handler', async (t) => {
  const { url, events } = await startGateway(t, async () => ({ statusCode: 204 }))
  for (const path of ['/%zz', '/%', '/%ff', '/a/%c3/b?x=y']) {
    const response = await fetch(url + path)
    assert.equal(response.status, 400, path)
    assert.deepEqual(await response.json(), { message: 'Bad Request' })
  }
  assert.equal((await fetch(`${url}/?x=%zz`)).status, 204)
  assert.deepEqual(
    events.map(({ rawQueryString }) => rawQueryString),
    ['x=%zz'],
  )
})

test('cookies are separate from the headers, and several values of one header are joined by a comma', async (t) => {
  const { url, events } = await startGateway(t, async () => ({ statusCode: 204 }))
  const headers = ['Cookie', 'a=1; b="x, y;z"', 'cookie', 'c=3', 'X-Some', 'one', 'x-some', 'two', 'Referer', 'r']
  await exchange(url, 'GET', [...headers, 'referer', 's'])
  const [event] = events
  assert.deepEqual(event?.cookies, ['a=1', 'b="x, y;z"', 'c=3'])
  assert.deepEqual(
    { ...event.headers, connection: undefined },
    { 'x-some': 'one,two', referer: 'r,s', host: new URL(url).host, connection: undefined },
  )
})

test('each cookie of an answer is a Set-Cookie of its own', async (t) => {
  const cookies = ['a=1; Path=/', 'b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT']
  const { url } = await startGateway(t, async () => ({ headers: { 'x-some': 'value' }, cookies, body: 'body' }))
  const { headers, body } = await exchange(url, 'GET')
  assert.deepEqual(headers['set-cookie'], cookies)
  assert.equal(headers['x-some'], 'value')
  assert.equal(body, 'body')
})

test('the answer to HEAD has headers and no body, and the connection stays open', async (t) => {
  const { url, events } = await startGateway(t, async () => ({ headers: { 'x-some': 'value' }, body: 'body' }))
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  const head = await exchange(url, 'HEAD', [], agent)
  assert.deepEqual([head.status, head.headers['x-some'], head.body], [200, 'value', ''])
  assert.equal((await exchange(url, 'GET', [], agent)).body, 'body')
  assert.deepEqual(
    events.map(({ requestContext }) => requestContext.http.method),
    ['HEAD', 'GET'],
  )
})

test('JSON and text bodies are passed unchanged, all other bodies in base64', async (t) => {
  const { url, events } = await startGateway(t, async () => ({ statusCode: 204 }))
  for (const type of [
    'application/json',
    'text/plain; charset=utf-8',
    'application/x-www-form-urlencoded',
    'image/png',
  ])
    await fetch(url, { method: 'POST', headers: { 'content-type': type }, body: 'ä=1' })
  assert.deepEqual(
    events.map(({ body, isBase64Encoded }) => [body, isBase64Encoded]),
    [
      ['ä=1', false],
      ['ä=1', false],
      [Buffer.from('ä=1').toString('base64'), true],
      [Buffer.from('ä=1').toString('base64'), true],
    ],
  )
})

test("the handler's answer is sent with status, headers and body, in base64 or not", async (t) => {
  const answers: APIGatewayProxyStructuredResultV2[] = [
    { statusCode: 418, headers: { 'x-some': 'value' }, body: 'plain' },
    { body: Buffer.from('bytes').toString('base64'), isBase64Encoded: true },
  ]
  const { url } = await startGateway(t, async () => answers.shift() ?? {})
  const first = await fetch(url)
  assert.equal(first.status, 418)
  assert.equal(first.headers.get('x-some'), 'value')
  assert.equal(await first.text(), 'plain')
  const second = await fetch(url)
  assert.equal(second.status, 200)
  assert.equal(await second.text(), 'bytes')
})

test('a body of 10 MiB is passed on, and one byte more is a 413 that does not reach the handler', async (t) => {
  const { url, events } = await startGateway(t, async () => ({ statusCode: 204 }))
  const largest = 10 * 1024 * 1024
  const statusOf = (size: number) =>
    new Promise((resolve, reject) => {
      const request = send(url, { method: 'POST' }, (response) => resolve(response.resume().statusCode))
      request.on('error', reject).end(Buffer.alloc(size))
    })
  assert.equal(await statusOf(largest), 204)
  assert.equal(await statusOf(largest + 1), 413)
  assert.equal(events.length, 1)
})

test('a handler that throws gives a 500 without a reason', async (t) => {
  const { url } = await startGateway(t, () => Promise.reject(new Error('tr0ub4dor')))
  const response = await fetch(url)
  assert.equal(response.status, 500)
  assert.deepEqual(await response.json(), { message: 'Internal Server Error' })
  assert.doesNotMatch(JSON.stringify([...response.headers]), /tr0ub4dor/)
})

test('a context has the 29 s of an HTTP API minus the time that has passed, and never less than 0', async (t) => {
  const { url, contexts } = await startGateway(t, async () => ({ statusCode: 204 }))
  await fetch(url)
  await fetch(url)
  const [one, other] = contexts
  assert.notEqual(one?.awsRequestId, other?.awsRequestId)
  const left = Number(one?.getRemainingTimeInMillis())
  assert.ok(left > 27_000 && left <= 29_000, String(left))
  assert.equal(createLocalContext(Date.now() - 60_000).getRemainingTimeInMillis(), 0)
})
