import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { ApiAnswer, ApiRequest } from '../../../lib/api-call/api-endpoint.ts'
import { createApiCaller } from '../../../lib/api-call/call-api.ts'
import { createConnectionCache } from '../../../lib/configuration/connection-cache.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { createSecretCache } from '../../../lib/secret/secret-cache.ts'
import { elementStoreOf, localDeployment } from '../../support/elements/element-store.ts'
import { plainFingerprints } from '../../support/virtual/virtual-ports.ts'

/* A password changes at the API and in its secret, never at both in the same moment. */

const elements = {
  endpointConnection: { conn: { authenticationConfigRef: 'basic', host: 'https://api.example.com' } },
  authData: { basic: { user: 'alice@example.com', passwordSecret: 'tokenwell/local/basic' } },
}

interface Challenge {
  readonly 'www-authenticate'?: string
}

/** An API, its user's password, and call-api with a secret that has two versions. */
async function startApi(t: TestContext, first: string, challenge: Challenge = {}) {
  let clock = 1_000_000_000_000
  let secret: readonly string[] = [first]
  let accepted: readonly string[] = [first]
  const sent: string[] = []
  const log: LogEvent[] = []
  /** What the answers wait for, in their order. */
  const gates: Promise<unknown>[] = []
  const store = {
    get: () => Promise.resolve(new Secret(secret.at(-1) ?? '')),
    getPrevious: () => Promise.resolve(secret.length > 1 ? new Secret(secret.at(-2) ?? '') : undefined),
  }
  const now = () => clock
  const answer = ({ credentials }: ApiRequest): ApiAnswer => {
    const value = credentials['authorization']?.reveal() ?? ''
    const [user, password = ''] = Buffer.from(value.replace(/^Basic /, ''), 'base64')
      .toString()
      .split(':')
    assert.equal(user, 'alice@example.com')
    sent.push(password)
    return accepted.includes(password)
      ? { status: 200, headers: {}, body: Buffer.alloc(0) }
      : { status: 401, headers: { ...challenge }, body: Buffer.alloc(0) }
  }
  const pause = () => new Promise<void>(() => {})
  const deployment = localDeployment
  const caller = createApiCaller({
    connections: createConnectionCache({
      ...{ elements: await elementStoreOf(t, elements), deployment, fingerprints: plainFingerprints, now },
      pause,
      log() {},
    }),
    tokens: { get: () => Promise.reject(new Error('The connection has no token.')) },
    secrets: createSecretCache(store, now),
    apiEndpoint: {
      async send(_api, request) {
        const answered = answer(request)
        await gates.shift()
        return answered
      },
    },
    now,
    pause,
    log: (event) => log.push(event),
  })
  const asked = {
    caller: 'local',
    connection: 'conn',
    callerPath: '/connections/conn/api',
    path: '/',
    query: '',
  } as never
  return {
    sent,
    gates,
    log,
    storeSecret: (password: string) => {
      secret = [...secret, password]
    },
    setAtApi: (...passwords: readonly string[]) => {
      accepted = passwords
    },
    pass: (milliseconds: number) => {
      clock += milliseconds
    },
    /** The status, and the passwords that the call has sent. */
    async call(method = 'POST') {
      const before = sent.length
      const { status } = await caller.call({ ...(asked as object), method, headers: {} } as never, clock + 20_000)
      return [status, ...sent.slice(before)]
    },
  }
}

const minute = 60_000

test('the API changes first: the secret is read again after a 401, and the call repeated', async (t) => {
  const api = await startApi(t, 'old')
  assert.deepEqual(await api.call(), [200, 'old'])
  api.setAtApi('new')
  api.storeSecret('new')
  assert.deepEqual(await api.call(), [200, 'old', 'new'])
  assert.deepEqual(await api.call(), [200, 'new'])
})

test('the secret changes first: the version before is sent, and calls begin with it for a minute', async (t) => {
  const api = await startApi(t, 'old')
  assert.deepEqual(await api.call(), [200, 'old'])
  api.storeSecret('new')
  api.pass(6 * minute)
  assert.deepEqual(await api.call(), [200, 'new', 'old'])
  assert.deepEqual(await api.call(), [200, 'old'])
  api.pass(2 * minute)
  assert.deepEqual(await api.call(), [200, 'new', 'old'])
  api.setAtApi('new')
  assert.deepEqual(await api.call(), [200, 'old', 'new'])
  assert.deepEqual(await api.call(), [200, 'new'])
  const repeated = api.log.flatMap((event) => (event.event === 'api_call_repeated' ? event.reason : []))
  assert.deepEqual(repeated, ['other_password', 'other_password', 'other_password'])
})

test('a refused password is not sent again and again: an API may lock the user', async (t) => {
  const api = await startApi(t, 'old')
  api.storeSecret('new')
  api.setAtApi('neither')
  assert.deepEqual(await api.call(), [401, 'new', 'old'])
  assert.deepEqual(await api.call(), [401, 'new'])
  api.pass(minute + 1)
  assert.deepEqual(await api.call(), [401, 'new', 'old'])
})

test('a refused version does not keep the version before a newer one from being tried', async (t) => {
  const api = await startApi(t, 'oldest')
  api.storeSecret('old')
  api.setAtApi('neither')
  assert.deepEqual(await api.call(), [401, 'old', 'oldest'])
  api.setAtApi('old')
  api.storeSecret('new')
  api.pass(11_000)
  assert.deepEqual(await api.call(), [200, 'old'])
  api.pass(6 * minute)
  assert.deepEqual(await api.call(), [200, 'new', 'old'])
})

test('calls at the same time all find the changed password', async (t) => {
  const api = await startApi(t, 'old')
  await api.call()
  api.setAtApi('new')
  api.storeSecret('new')
  await Promise.all(Array.from({ length: 20 }, () => api.call()))
  assert.equal(api.sent.filter((password) => password === 'new').length, 20)
  assert.equal(api.sent.filter((password) => password === 'old').length, 21)
})

test('a call that sent the old password finds the new one that another call has read meanwhile', async (t) => {
  const api = await startApi(t, 'old')
  await api.call()
  api.setAtApi('new')
  api.storeSecret('new')
  const gate = Promise.withResolvers()
  api.gates.push(gate.promise)
  const slow = api.call()
  while (api.sent.length < 2) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(await api.call(), [200, 'old', 'new'])
  gate.resolve(undefined)
  const [status] = await slow
  assert.deepEqual([status, ...api.sent.slice(-1)], [200, 'new'])
  assert.equal(api.sent.length, 5)
})

test('a 401 that blames a token alone sends no other password', async (t) => {
  const api = await startApi(t, 'old', { 'www-authenticate': 'Bearer error="invalid_token"' })
  api.storeSecret('new')
  api.setAtApi('neither')
  assert.deepEqual(await api.call(), [401, 'new'])
})

test('a 401 that asks for a password as well as a token sends the other password', async (t) => {
  const api = await startApi(t, 'old', { 'www-authenticate': 'Bearer error="invalid_token", Basic realm="orders"' })
  api.storeSecret('new')
  api.setAtApi('old')
  assert.deepEqual(await api.call(), [200, 'new', 'old'])
})
