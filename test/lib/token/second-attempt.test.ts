import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection } from '../../../lib/configuration/connection.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { createSecretCache } from '../../../lib/secret/secret-cache.ts'
import { SecretError, type SecretErrorCode } from '../../../lib/secret/secret-error.ts'
import {
  createTheTokens,
  type TheTokens,
  theConnection,
  virtualRefusal,
  virtualToken,
} from '../../support/the-tokens.ts'
import type { VirtualEndpoint } from '../../support/virtual-ports.ts'

const hour = 3_600_000
const keyName = 'tokenwell/test/the-key'
const passwordName = 'tokenwell/test/the-password'
const basic: Connection = {
  ...theConnection,
  clientAuthentication: { method: 'client_secret_basic', passwordSecret: passwordName },
}

/** The far ends: an authorization server with a clock, and a store of secrets that counts. */
interface FarEnds {
  readonly tokens: TheTokens
  /** Of the server's clock before ours. */
  offset: number
  text: string
  failure?: SecretErrorCode | undefined
  readonly reads: string[]
  ask(): ReturnType<TheTokens['get']>
}

async function theFarEnds(endpoint: VirtualEndpoint, connection = theConnection): Promise<FarEnds> {
  const reads: string[] = []
  const store = {
    async get(name: string) {
      reads.push(name)
      if (far.failure) throw new SecretError(far.failure, 'it fails')
      return new Secret(far.text)
    },
  }
  const secrets = createSecretCache(store, () => far.tokens.time.now())
  const tokens = createTheTokens(
    async (request) => ({
      date: new Date(request.at + far.offset).toUTCString(),
      ...(await endpoint(request)),
    }),
    { connection, secrets },
  )
  const far: FarEnds = {
    tokens,
    offset: 0,
    text: 'the first',
    reads,
    ask: () => tokens.time.until(tokens.get()),
  }
  // As a signer has: it is in hand before the server refuses.
  await secrets.get(keyName)
  return far
}

function basicHeader(password: string): string {
  return `Basic ${Buffer.from(`theClient:${password.replace(' ', '+')}`).toString('base64')}`
}

const refuseClient = () => virtualRefusal('invalid_client')
const eventsOf = ({ tokens }: FarEnds) => tokens.events.map(({ event }) => event)

test('where our clock was off the client is not refused but asked for once more, by the right time', async () => {
  const far = await theFarEnds(({ claims, at }) =>
    Math.abs(Number(claims['iat']) * 1000 - (at + hour)) < 60_000 ? virtualToken() : refuseClient(),
  )
  far.offset = hour
  assert.equal((await far.ask()).source, 'server')
  const [first, second, ...more] = far.tokens.requests
  assert.deepEqual(more, [])
  assert.notEqual(first?.claims['jti'], second?.claims['jti'])
  assert.ok(Number(second?.claims['iat']) - Number(first?.claims['iat']) >= 3_599)
  assert.ok(eventsOf(far).includes('clock_offset_learned'))
})

test('where the secret has a newer version the client is asked for once more with that', async () => {
  const far = await theFarEnds(({ index }) => (index === 0 ? refuseClient() : virtualToken()))
  far.text = 'the second'
  assert.equal((await far.ask()).source, 'server')
  assert.equal(far.tokens.requests.length, 2)
  assert.deepEqual(far.reads, [keyName, keyName])
  assert.ok(eventsOf(far).includes('newer_secret_found'))
})

test('a client that authenticates by a password is asked for once more with the newer one', async () => {
  const far = await theFarEnds(
    ({ authorization }) => (authorization === basicHeader('the second') ? virtualToken() : refuseClient()),
    basic,
  )
  await assert.rejects(far.ask(), { code: 'cooling_down' })
  await far.tokens.time.advance(31_000)
  far.text = 'the second'
  assert.equal((await far.ask()).source, 'server')
  assert.deepEqual(
    far.tokens.requests.map(({ authorization }) => authorization),
    ['the first', 'the first', 'the second'].map(basicHeader),
  )
  assert.deepEqual(new Set(far.reads.slice(1)), new Set([passwordName]))
})

test('where both may be the reason the clock comes first, and the secret is not read', async () => {
  const far = await theFarEnds(({ index }) => (index === 0 ? refuseClient() : virtualToken()))
  far.offset = hour
  far.text = 'the second'
  await far.ask()
  assert.equal(far.reads.length, 1)
  assert.ok(!eventsOf(far).includes('newer_secret_found'))
})

test('there is one further attempt in all: what it is refused for then is not looked into', async () => {
  const far = await theFarEnds(refuseClient)
  far.offset = hour
  far.text = 'the second'
  await assert.rejects(far.ask(), { code: 'cooling_down' })
  assert.equal(far.tokens.requests.length, 2)
  assert.equal(far.reads.length, 1)

  const other = await theFarEnds(() => {
    // It goes off only after the first attempt.
    if (other.tokens.requests.length === 2) other.offset = hour
    return refuseClient()
  })
  other.text = 'the second'
  await assert.rejects(other.ask(), { code: 'cooling_down' })
  assert.equal(other.tokens.requests.length, 2)
})

test('where nothing has changed there is no further attempt', async () => {
  const far = await theFarEnds(refuseClient)
  await assert.rejects(far.ask(), { code: 'cooling_down' })
  assert.equal(far.tokens.requests.length, 1)
  assert.equal(far.reads.length, 2, 'it has been looked for')
})

for (const error of ['invalid_grant', 'invalid_scope', 'invalid_request', 'unauthorized_client', 'access_denied'])
  test(`after ${error} there is no further attempt, and nobody looks for a reason`, async () => {
    const far = await theFarEnds(() => virtualRefusal(error))
    far.offset = hour
    far.text = 'the second'
    await assert.rejects(far.ask(), { code: 'cooling_down' })
    assert.equal(far.tokens.requests.length, 1)
    assert.equal(far.reads.length, 1)
  })

for (const failure of ['secret_unreachable', 'secret_throttled', 'secret_denied', 'secret_missing'] as const)
  test(`where the secret can't be looked for (${failure}) the refusal is what counts`, async () => {
    const far = await theFarEnds(refuseClient)
    far.failure = failure
    await assert.rejects(far.ask(), (error: { failure?: { error?: string } }) => {
      assert.equal(error.failure?.error, 'invalid_client')
      return true
    })
    assert.equal(far.tokens.requests.length, 1)
  })

test('what was learned of the clock holds for the next request', async () => {
  const far = await theFarEnds(({ claims, at }) =>
    Math.abs(Number(claims['iat']) * 1000 - (at + hour)) < 60_000 ? virtualToken() : refuseClient(),
  )
  far.offset = hour
  await far.ask()
  await far.tokens.time.until(far.tokens.get({ scope: ['other'] }))
  assert.equal(far.tokens.requests.length, 3)
})
