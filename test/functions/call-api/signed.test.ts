import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { AwsClient } from 'aws4fetch'
import { createHttpGateway, type LambdaHandler } from '../../../infra/local/http-gateway.ts'
import { listen } from '../../../infra/local/listen.ts'
import {
  type CallApiWithScriptedServers,
  startCallApiWithScriptedServers,
} from '../../support/functions/call-api-with-scripted-servers.ts'
import { plant } from '../../support/output/canary.ts'

/* Requests with an AWS signature, as a workload sends them, over the gateway of the local run. */

const credentials = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'the secret access key of the workload',
  sessionToken: 'the session token of the workload',
}
const client = new AwsClient({ ...credentials, service: 'execute-api', region: 'eu-central-1', retries: 0 })

async function startGateway(
  t: Parameters<typeof startCallApiWithScriptedServers>[0],
  calls: CallApiWithScriptedServers,
): Promise<string> {
  const gateway = createHttpGateway(calls.handler as LambdaHandler)
  const port = await listen(gateway, 0, '127.0.0.1')
  t.after(() => {
    gateway.closeAllConnections()
    gateway.close()
  })
  return `http://127.0.0.1:${port}/connections/conn/api`
}

test('a signed request is forwarded unchanged, without its signature', async (t) => {
  for (const secret of Object.values(credentials)) plant(secret)
  const calls = await startCallApiWithScriptedServers(t, () => ({
    status: 201,
    headers: { 'set-cookie': ['a=1', 'b=2'], 'content-type': 'application/octet-stream' },
    body: Buffer.from([0, 255, 1, 254]),
  }))
  const url = await startGateway(t, calls)
  const body = Buffer.from([1, 2, 0xff, 0xfe, 0])
  const response = await client.fetch(`${url}/orders/two%20words/%C3%BC?b=2&a=%20%2B&b=1`, {
    method: 'PUT',
    body,
    headers: { 'content-type': 'application/octet-stream', 'x-mine': 'yes', cookie: 'c=3; d=4' },
  })
  assert.equal(response.status, 201)
  const path = '/connections/conn/api/orders/two%20words'
  assert.deepEqual(response.headers.getSetCookie(), [`a=1; Path=${path}`, `b=2; Path=${path}`])
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), Buffer.from([0, 255, 1, 254]))

  const [received] = calls.api.requests
  assert.equal(received?.method, 'PUT')
  assert.equal(received.url, '/orders/two%20words/%C3%BC?b=2&a=%20%2B&b=1')
  assert.deepEqual(received.body, body)
  assert.equal(received.headers['x-mine'], 'yes')
  assert.equal(received.headers.cookie, 'c=3; d=4')
  assert.match(String(received.headers.authorization), /^Bearer some-token-/)
  const names = Object.keys(received.headers)
  assert.deepEqual(
    names.filter((name) => name.startsWith('x-amz')),
    [],
  )
  for (const secret of [credentials.sessionToken, credentials.accessKeyId])
    assert.ok(!received.rawHeaders.some((value) => value.includes(secret)))
})

test('a request with a signature in its query is refused, because the signature would be forwarded', async (t) => {
  const calls = await startCallApiWithScriptedServers(t)
  const url = await startGateway(t, calls)
  const signed = await client.sign(`${url}/orders`, { aws: { signQuery: true } })
  const response = await fetch(signed)
  assert.equal(response.status, 400)
  assert.equal(response.headers.get('proxy-status'), 'tokenwell; error=http_request_error')
  assert.match(await response.text(), /Sign the request in its headers instead\./)
  assert.equal(calls.api.requests.length, 0)
})

test('headers that curl adds are accepted, and a HEAD has no body', async (t) => {
  const calls = await startCallApiWithScriptedServers(t, () => ({ body: 'the body' }))
  const url = await startGateway(t, calls)
  const answered = await fetch(`${url}/x`, { method: 'HEAD' })
  assert.equal(answered.status, 200)
  assert.equal(await answered.text(), '')
  const posted = await fetch(`${url}/x`, { method: 'POST', body: 'a'.repeat(2_000_000) })
  assert.equal(await posted.text(), 'the body')
  assert.equal(calls.api.requests[1]?.body.length, 2_000_000)
})

test('a path that a client would normalise is refused', async (t) => {
  const calls = await startCallApiWithScriptedServers(t)
  const { port } = new URL(await startGateway(t, calls))
  for (const path of [
    '/%2e%2e/admin',
    '/a/..%2f..%2fadmin',
    '/%2e%2e%5cadmin',
    '/..;/admin',
    '/%00',
    '/a%0d%0aX:%20y',
    '/%ff',
  ]) {
    const status = await statusOf(Number(port), `/connections/conn/api${path}`)
    assert.equal(status, 400, path)
  }
  assert.equal(calls.api.requests.length, 0)
})

/** Over a plain TCP connection, because a client library would normalise the path. */
async function statusOf(port: number, path: string): Promise<number> {
  const socket = connect(port, '127.0.0.1')
  socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost:${port}\r\nconnection: close\r\n\r\n`)
  const [, status = ''] = /^HTTP\/1\.1 (\d+)/.exec(await text(socket)) ?? []
  return Number(status)
}
