import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { listen } from '../../../../infra/local/listen.ts'
import { undiciApiEndpoint } from '../../../../lib/adapters/http/undici-api-endpoint.ts'
import { undiciTokenEndpoint } from '../../../../lib/adapters/http/undici-token-endpoint.ts'
import type { LocatedServer } from '../../../../lib/configuration/connection.ts'
import type { Transport } from '../../../../lib/configuration/transport.ts'
import { Secret } from '../../../../lib/secret/secret.ts'
import { createSecretCache } from '../../../../lib/secret/secret-cache.ts'
import { startScriptedApi } from '../../../support/servers/scripted-api.ts'
import { singleVersionSecrets } from '../../../support/virtual/secret-stores.ts'

/* The total time of a request also limits the wait for its connection, which undici's own signal does not cover. */

const trustStore = 'tokenwell/test/trust'
/** Longer than any test waits. */
const patient = { connectTimeoutMilliseconds: 60_000, receiveTimeoutMilliseconds: 60_000 }
const hurried = { receiveMilliseconds: 60_000, totalMilliseconds: 400 }

/** A route to a server that accepts connections and does not answer, directly or through a proxy. */
async function theSilentWay(t: TestContext, isProxied: boolean): Promise<{ origin: string; transport: Transport }> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    t.after(() => socket.destroy())
  })
  const port = await listen(server, 0, '127.0.0.1')
  t.after(() => server.close())
  return {
    origin: `https://127.0.0.1:${port}`,
    transport: {
      tls: { minimumVersion: 'TLSv1.2' },
      ...(isProxied && { proxy: { id: 'theProxy', host: '127.0.0.1', port } }),
      ...patient,
    },
  }
}

function theSecrets(ca = '') {
  return createSecretCache(
    singleVersionSecrets(async () => new Secret(ca)),
    Date.now,
  )
}

function theServer(tokenEndpoint: string, transport: Transport): LocatedServer {
  const lifetime = { assumedLifetimeSeconds: 300 }
  return { id: 'theServer', tokenEndpoint, maximumConcurrency: 1, coolDownSeconds: 30, lifetime, ...transport }
}

async function assertInTime(waiting: Promise<unknown>, expected: object): Promise<void> {
  const startedAt = performance.now()
  await assert.rejects(waiting, expected)
  assert.ok(performance.now() - startedAt < 20_000)
}

for (const isProxied of [false, true]) {
  const where = isProxied ? 'a proxy' : 'a far end'

  test(`an API call ends in time if ${where} accepts the connection and does not answer`, async (t) => {
    const { origin, transport } = await theSilentWay(t, isProxied)
    const api = { origin, basePath: '', ...transport } as const
    const request = {
      connection: 'conn',
      method: 'GET',
      target: '/',
      headers: {},
      credentials: { authorization: new Secret('Bearer some-token') },
    }
    const calling = undiciApiEndpoint(theSecrets(), Date.now).send(api, request, {
      ...hurried,
      maximumIdleMilliseconds: 1_000,
    })
    await assertInTime(calling, { code: 'connection_timeout', wasSent: false })
  })

  test(`a token request ends in time if ${where} accepts the connection and does not answer`, async (t) => {
    const { origin, transport } = await theSilentWay(t, isProxied)
    const form = new Secret('grant_type=client_credentials')
    const posting = undiciTokenEndpoint(theSecrets(), Date.now).post(theServer(`${origin}/token`, transport), {
      connection: 'conn',
      write: async () => ({ headers: {}, form }),
      timeouts: hurried,
    })
    await assertInTime(posting, { code: 'timed_out' })
  })
}

test('a token request that waits for others ends in time, and is not sent later', async (t) => {
  const held = Promise.withResolvers<() => void>()
  const server = await startScriptedApi(t, (_request, response, index) => {
    if (index > 0) return {}
    held.resolve(() => response.writeHead(200).end('{}'))
    return undefined
  })
  const transport: Transport = { tls: { minimumVersion: 'TLSv1.2', trustStore }, ...patient }
  const endpoint = undiciTokenEndpoint(theSecrets(server.certificate.caCertificate), Date.now)
  const post = (form: string, totalMilliseconds: number) =>
    endpoint.post(theServer(`${server.origin}/token`, transport), {
      connection: 'conn',
      write: async () => ({ headers: {}, form: new Secret(form) }),
      timeouts: { receiveMilliseconds: 60_000, totalMilliseconds },
    })
  const first = post('a=first', 60_000)
  const release = await held.promise
  await assertInTime(post('a=second', 400), { code: 'timed_out' })
  release()
  assert.equal((await first).status, 200)
  assert.equal((await post('a=third', 60_000)).status, 200)
  assert.deepEqual(
    server.requests.map(({ body }) => body.toString()),
    ['a=first', 'a=third'],
  )
})
