import assert from 'node:assert/strict'
import { request as send } from 'node:http'
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

test('a request becomes an event of payload format 2.0: path decoded, query as it is, names of headers in lower case', async (t) => {
  const { url, events } = await startGateway(t, async () => ({ statusCode: 204 }))
  await fetch(`${url}/a%20b/c?x=%20&y=?`, { method: 'DELETE', headers: { 'X-Some': 'value' } })
  await fetch(`${url}/100%25/%zz`)
  const [event, odd] = events
  assert.equal(event?.version, '2.0')
  assert.equal(event.rawPath, '/a b/c')
  assert.equal(event.rawQueryString, 'x=%20&y=?')
  assert.equal(event.headers['x-some'], 'value')
  assert.equal(event.requestContext.http.method, 'DELETE')
  assert.equal(event.requestContext.http.path, '/a b/c')
  assert.equal(event.body, undefined)
  assert.equal(event.isBase64Encoded, false)
  assert.equal(odd?.rawPath, '/100%25/%zz')
  assert.equal(odd.rawQueryString, '')
})

test('JSON and texts are handed over as they are, all else in base64', async (t) => {
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

test('an answer comes back with status, headers and body, in base64 or not', async (t) => {
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

test('a body of 10 MiB is handed over, and one byte more is a 413 that never gets there', async (t) => {
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

test('a handler that throws is a 500 that says nothing of why', async (t) => {
  const { url } = await startGateway(t, () => Promise.reject(new Error('tr0ub4dor')))
  const response = await fetch(url)
  assert.equal(response.status, 500)
  assert.deepEqual(await response.json(), { message: 'Internal Server Error' })
  assert.doesNotMatch(JSON.stringify([...response.headers]), /tr0ub4dor/)
})

test('a context has the 29 s that an HTTP API leaves, less what has passed, and never less than nothing', async (t) => {
  const { url, contexts } = await startGateway(t, async () => ({ statusCode: 204 }))
  await fetch(url)
  await fetch(url)
  const [one, other] = contexts
  assert.notEqual(one?.awsRequestId, other?.awsRequestId)
  const left = Number(one?.getRemainingTimeInMillis())
  assert.ok(left > 27_000 && left <= 29_000, String(left))
  assert.equal(createLocalContext(Date.now() - 60_000).getRemainingTimeInMillis(), 0)
})
