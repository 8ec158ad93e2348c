import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LocatedConnection } from '../../../lib/configuration/connection.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { createSecretCache } from '../../../lib/secret/secret-cache.ts'
import type { SecretStore } from '../../../lib/secret/secret-store.ts'
import { SecretError, type SecretErrorCode } from '../../../lib/secret/secret-store.ts'
import type { Signer } from '../../../lib/signing/signer.ts'
import type { SignerCache } from '../../../lib/signing/signer-cache.ts'
import { KeyStoreError } from '../../../lib/signing/signing-key.ts'
import { WebIdentityError } from '../../../lib/signing/web-identity.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'
import {
  createTokensInVirtualTime,
  type TokensInVirtualTime,
  virtualRefusal,
  virtualToken,
} from '../../support/virtual/tokens-in-virtual-time.ts'
import { theSigner, type VirtualEndpoint, type VirtualRequest } from '../../support/virtual/virtual-ports.ts'

const minutes = 60_000
const keyName = 'tokenwell/test/the-key'
const passwordName = 'tokenwell/test/the-password'
const basic: LocatedConnection = {
  ...plainConnection,
  clientAuthentication: { method: 'client_secret_basic', passwordSecret: passwordName },
}
const certificateName = 'tokenwell/test/the-certificate'
const byCertificate: LocatedConnection = {
  ...plainConnection,
  clientAuthentication: { method: 'tls_client_auth' },
  authorizationServer: {
    ...plainConnection.authorizationServer,
    tls: { minimumVersion: 'TLSv1.2', clientCertificate: certificateName },
  },
}

/** The far ends: an authorization server with its own clock, and a store of secrets that counts its reads. */
interface FarEnds {
  readonly tokens: TokensInVirtualTime
  /** How far the server's clock is ahead of Tokenwell's. */
  offset: number
  sendsDate: boolean
  text: string
  failure?: SecretErrorCode | undefined
  /** The previous key or password. */
  previous?: string | Error | undefined
  readonly reads: string[]
  readonly previousReads: string[]
  ask(): ReturnType<TokensInVirtualTime['get']>
}

async function theFarEnds(endpoint: VirtualEndpoint, connection = plainConnection): Promise<FarEnds> {
  const reads: string[] = []
  const previousReads: string[] = []
  const previousOf = async (name: string) => {
    previousReads.push(name)
    if (far.previous instanceof Error) throw far.previous
    return far.previous
  }
  const store: SecretStore = {
    async get(name) {
      reads.push(name)
      if (far.failure) throw new SecretError(far.failure, 'it fails')
      return new Secret(far.text)
    },
    async getPrevious(name) {
      const text = await previousOf(name)
      return text === undefined ? undefined : new Secret(text)
    },
  }
  const signers: SignerCache = {
    current: () => Promise.resolve(signerWith('current')),
    async previous({ location }) {
      const key = await previousOf(location)
      return key === undefined ? undefined : signerWith(key)
    },
    revoke() {},
  }
  const secrets = createSecretCache(store, () => far.tokens.time.now())
  const tokens = createTokensInVirtualTime(
    async (request) => ({
      ...(far.sendsDate && { date: new Date(request.at + far.offset).toUTCString() }),
      ...(await endpoint(request)),
    }),
    { connection, secrets, signers },
  )
  const far: FarEnds = {
    tokens,
    offset: 0,
    sendsDate: true,
    text: 'the first',
    reads,
    previousReads,
    ask: () => tokens.time.until(tokens.get()),
  }
  // A real signer has read its secret before the server refuses.
  await secrets.get(keyName)
  return far
}

/** A signer whose assertions name its key. */
function signerWith(key: string): Signer {
  return { sign: (header, claims) => theSigner.sign(header, { ...claims, key }) }
}

function basicHeader(password: string): string {
  return `Basic ${Buffer.from(`theClient:${password.replaceAll(' ', '+')}`).toString('base64')}`
}

const refuseClient = () => virtualRefusal('invalid_client')
const eventsOf = ({ tokens }: FarEnds) => tokens.events.map(({ event }) => event)

test('where the clocks differ the client makes one more attempt by the right time', async () => {
  const far = await theFarEnds(({ claims, at }) =>
    Math.abs(Number(claims['iat']) * 1000 - (at + 4 * minutes)) < 30_000 ? virtualToken() : refuseClient(),
  )
  far.offset = 4 * minutes
  assert.equal((await far.ask()).source, 'server')
  const [first, second, ...more] = far.tokens.requests
  assert.deepEqual(more, [])
  assert.notEqual(first?.claims['jti'], second?.claims['jti'])
  assert.ok(Number(second?.claims['iat']) - Number(first?.claims['iat']) >= 239)
  assert.ok(eventsOf(far).includes('clock_offset_learned'))
})

test('where the secret has a newer version the client makes one more attempt with it', async () => {
  const far = await theFarEnds(({ index }) => (index === 0 ? refuseClient() : virtualToken()))
  far.text = 'the second'
  assert.equal((await far.ask()).source, 'server')
  assert.equal(far.tokens.requests.length, 2)
  assert.deepEqual(far.reads, [keyName, keyName])
  assert.ok(eventsOf(far).includes('newer_secret_found'))
})

test('a client that authenticates by a password makes one more attempt with the newer one', async () => {
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

test('a client that authenticates by its certificate makes one more attempt if that has changed, and never uses a previous one', async () => {
  const far = await theFarEnds(({ index }) => (index === 2 ? virtualToken() : refuseClient()), byCertificate)
  far.previous = 'the one before'
  await assert.rejects(far.ask(), { code: 'cooling_down' })
  assert.equal(far.tokens.requests.length, 1)
  assert.ok(far.reads.includes(certificateName))
  await far.tokens.time.advance(31_000)
  far.text = 'the second'
  assert.equal((await far.ask()).source, 'server')
  assert.equal(far.tokens.requests.length, 3)
  assert.ok(eventsOf(far).includes('newer_secret_found'))
  assert.deepEqual(far.previousReads, [])
})

test('where both may be the reason the clock comes first, and the secret is not read', async () => {
  const far = await theFarEnds(({ index }) => (index === 0 ? refuseClient() : virtualToken()))
  far.offset = 4 * minutes
  far.text = 'the second'
  await far.ask()
  assert.equal(far.reads.length, 1)
  assert.ok(!eventsOf(far).includes('newer_secret_found'))
})

test('only one further attempt is made, and the reason of its refusal is not looked for', async () => {
  const far = await theFarEnds(refuseClient)
  far.offset = 4 * minutes
  far.text = 'the second'
  far.previous = 'the one before'
  await assert.rejects(far.ask(), { code: 'cooling_down' })
  assert.equal(far.tokens.requests.length, 2)
  assert.equal(far.reads.length, 1)

  const other = await theFarEnds(() => {
    // The clock changes only after the first attempt.
    if (other.tokens.requests.length === 2) other.offset = 4 * minutes
    return refuseClient()
  })
  other.text = 'the second'
  other.previous = 'the one before'
  await assert.rejects(other.ask(), { code: 'cooling_down' })
  assert.equal(other.tokens.requests.length, 2)
  assert.deepEqual([...far.previousReads, ...other.previousReads], [])
})

test('where nothing has changed no further attempt is made', async () => {
  const far = await theFarEnds(refuseClient)
  await assert.rejects(far.ask(), { code: 'cooling_down' })
  assert.equal(far.tokens.requests.length, 1)
  assert.equal(far.reads.length, 2, 'it was read')
  assert.deepEqual(far.previousReads, [keyName], 'as does the previous one')
})

for (const error of ['invalid_scope', 'invalid_target', 'unsupported_grant_type'])
  test(`after ${error} no further attempt is made, and no reason is looked for`, async () => {
    const far = await theFarEnds(() => virtualRefusal(error))
    far.offset = 4 * minutes
    far.text = 'the second'
    far.previous = 'the one before'
    await assert.rejects(far.ask(), { code: 'cooling_down' })
    assert.equal(far.tokens.requests.length, 1)
    assert.equal(far.reads.length, 1)
    assert.deepEqual(far.previousReads, [])
  })

/** Answers of servers to a client with another key, password or clock than they expect. */
const saidOfCredentials = [
  virtualRefusal('invalid_grant'),
  virtualRefusal('invalid_request'),
  virtualRefusal('unauthorized_client', { status: 401 }),
  virtualRefusal('access_denied', { status: 403 }),
  virtualRefusal('error', { status: 500 }),
  { status: 401, body: '' },
  { status: 403, body: '<html>' },
]
for (const refusal of saidOfCredentials)
  test(`after ${refusal.status} ${refusal.body} one further attempt is made with the newer secret`, async () => {
    const far = await theFarEnds(({ index }) => (index === 0 ? refusal : virtualToken()))
    far.text = 'the second'
    assert.equal((await far.ask()).source, 'server')
    assert.equal(far.tokens.requests.length, 2)
  })

test('a request with caller parameters gets a second attempt only if the own request is refused as well', async () => {
  const far = await theFarEnds(({ form }) => (form.has('scope') ? virtualRefusal('access_denied') : virtualToken()))
  await far.ask()
  await far.tokens.time.advance(11_000)
  far.text = 'the second'
  await assert.rejects(far.tokens.time.until(far.tokens.get({ scope: ['other'] })), { code: 'cooling_down' })
  assert.deepEqual(
    far.tokens.requests.map(({ form }) => form.get('scope')),
    [null, 'other', null],
  )
  assert.equal(far.reads.length, 1)
})

for (const helpful of ['a newer secret', 'the key before'] as const)
  test(`where the own request needs ${helpful} as well, the caller's request is repeated with it`, async () => {
    let isChanged = false
    const far = await theFarEnds(({ claims, index }) => {
      const isKnown = helpful === 'a newer secret' ? index > 2 : claims['key'] === 'the one before'
      return isChanged && !isKnown ? virtualRefusal('unauthorized_client') : virtualToken()
    })
    await far.ask()
    await far.tokens.time.advance(11_000)
    isChanged = true
    if (helpful === 'a newer secret') far.text = 'the second'
    else far.previous = 'the one before'
    const { source } = await far.tokens.time.until(far.tokens.get({ scope: ['other'] }))
    assert.equal(source, 'server')
    assert.deepEqual(
      far.tokens.requests.map(({ form }) => form.get('scope')),
      [null, 'other', null, null, 'other'],
    )
    const cooling = far.tokens.events.filter(({ event }) => event.startsWith('cool_down'))
    assert.deepEqual(
      cooling.map((each) => [each.event, 'of' in each && each.of]),
      [
        ['cool_down_begun', 'token'],
        ['cool_down_ended', 'token'],
      ],
    )
  })

for (const [words, ahead] of [
  ['Token was issued in the future', -60],
  ['JWT has expired', 60],
] as const)
  test(`where a server without a Date says "${words}" one attempt is made by a clock that differs by a minute`, async () => {
    const isIssuedInTime = ({ claims, at }: VirtualRequest) =>
      Math.abs(Number(claims['iat']) - (at / 1000 + ahead)) < 15 && Number(claims['exp']) > at / 1000 + ahead
    const refusal = { status: 400, body: JSON.stringify({ error: 'invalid_client', error_description: words }) }
    const far = await theFarEnds((request) => (isIssuedInTime(request) ? virtualToken() : refusal))
    far.sendsDate = false
    assert.equal((await far.ask()).source, 'server')
    await far.tokens.time.until(far.tokens.get({ scope: ['other'] }))
    assert.equal(far.tokens.requests.length, 3, 'the helpful attempt is remembered')
  })

test('a guessed clock offset that does not help is undone, and the next assertion has the unadjusted time', async () => {
  const refusal = { status: 400, body: JSON.stringify({ error: 'invalid_client', error_description: 'iat too old' }) }
  const far = await theFarEnds(({ index }) => (index < 2 ? refusal : virtualToken()))
  far.sendsDate = false
  await assert.rejects(far.ask(), { message: /iat too old.*sends no Date header\. Compare its clock/ })
  await far.tokens.time.advance(31_000)
  await far.ask()
  const iats = far.tokens.requests.map(({ claims, at }) => Number(claims['iat']) - Math.floor(at / 1000))
  assert.deepEqual(iats, [0, 60, 0])
})

test('a clock offset of more than 5 minutes is not adjusted to, and the operator gets the reason', async () => {
  const far = await theFarEnds(refuseClient)
  far.offset = 6 * minutes
  await assert.rejects(far.ask(), {
    message: /clock is 3\d\d s ahead of Tokenwell's\. Tokenwell adjusts to at most 300 s/,
  })
  assert.equal(far.tokens.requests.length, 1)
  assert.ok(!eventsOf(far).includes('clock_offset_learned'))
})

for (const failure of ['secret_unreachable', 'secret_throttled', 'secret_denied', 'secret_missing'] as const)
  test(`where the secret can't be read (${failure}) the refusal is what counts`, async () => {
    const far = await theFarEnds(refuseClient)
    far.failure = failure
    await assert.rejects(far.ask(), (error: { failure?: { error?: string } }) => {
      assert.equal(error.failure?.error, 'invalid_client')
      return true
    })
    assert.equal(far.tokens.requests.length, 1)
  })

test('a learned clock offset applies to the next request', async () => {
  const far = await theFarEnds(({ claims, at }) =>
    Math.abs(Number(claims['iat']) * 1000 - (at + 4 * minutes)) < 30_000 ? virtualToken() : refuseClient(),
  )
  far.offset = 4 * minutes
  await far.ask()
  await far.tokens.time.until(far.tokens.get({ scope: ['other'] }))
  assert.equal(far.tokens.requests.length, 3)
})

const keysOf = ({ tokens }: FarEnds) => tokens.requests.map(({ claims }) => claims['key'])
const onlyBy =
  (key: string) =>
  ({ claims }: { readonly claims: Readonly<Record<string, unknown>> }) =>
    claims['key'] === key ? virtualToken() : refuseClient()

test('where neither is the reason, the previous key signs the one further attempt, in a new assertion', async () => {
  const far = await theFarEnds(onlyBy('the one before'))
  far.previous = 'the one before'
  assert.equal((await far.ask()).source, 'server')
  assert.deepEqual(keysOf(far), ['current', 'the one before'])
  const [first, second] = far.tokens.requests
  assert.notEqual(first?.claims['jti'], second?.claims['jti'])
  assert.deepEqual(
    far.tokens.events.filter(({ event }) => event === 'previous_key_tried'),
    [{ event: 'previous_key_tried', connection: 'conn' }],
  )
})

test('after the server accepts the previous key nothing cools down, and the next request begins with the current key again', async () => {
  const far = await theFarEnds(onlyBy('the one before'))
  far.previous = 'the one before'
  await far.ask()
  await far.tokens.time.until(far.tokens.get({ scope: ['other'] }))
  assert.deepEqual(keysOf(far), ['current', 'the one before', 'current', 'the one before'])
  assert.ok(!eventsOf(far).includes('cool_down_begun'))
})

test('a newer version of the secret comes before the previous key, and is the only one that is tried', async () => {
  const far = await theFarEnds(({ index }) => (index === 0 ? refuseClient() : virtualToken()))
  far.text = 'the second'
  far.previous = 'the one before'
  await far.ask()
  assert.deepEqual(keysOf(far), ['current', 'current'])
  assert.deepEqual(far.previousReads, [])
  assert.ok(!eventsOf(far).includes('previous_key_tried'))
})

test('where the previous key is refused as well, the client cools down with the refusal of the current key', async () => {
  const far = await theFarEnds(({ index }) => ({
    status: 401,
    body: JSON.stringify({ error: 'invalid_client', error_description: `no key number ${index}` }),
  }))
  far.previous = 'the one before'
  await assert.rejects(far.ask(), (error: { failure?: Error }) => {
    assert.match(error.failure?.message ?? '', /no key number 0/)
    return true
  })
  assert.deepEqual(keysOf(far), ['current', 'the one before'])
  await assert.rejects(far.ask(), { code: 'cooling_down' })
  assert.equal(far.tokens.requests.length, 2)
})

test('another refusal of the previous key counts, since the server knows the client by that key', async () => {
  const far = await theFarEnds(({ index }) => virtualRefusal(index === 0 ? 'invalid_client' : 'invalid_scope'))
  far.previous = 'the one before'
  await assert.rejects(far.ask(), (error: { failure?: { error?: string } }) => {
    assert.equal(error.failure?.error, 'invalid_scope')
    return true
  })
})

for (const failure of [
  new SecretError('secret_unreachable', 'no answer'),
  new SecretError('secret_denied', 'no right'),
  new KeyStoreError(keyName, 'holds no key.'),
  new WebIdentityError('theIdentity', 'AWS STS throttles requests.', { isPassing: true }),
])
  test(`where the previous key can't be read (${failure.code}) the refusal is what counts`, async () => {
    const far = await theFarEnds(refuseClient)
    far.previous = failure
    await assert.rejects(far.ask(), (error: { failure?: { error?: string } }) => {
      assert.equal(error.failure?.error, 'invalid_client')
      return true
    })
    assert.equal(far.tokens.requests.length, 1)
  })

test('a programming error in the search for the previous key is not hidden behind the refusal', async () => {
  const far = await theFarEnds(refuseClient)
  far.previous = new TypeError('ours')
  await assert.rejects(far.ask(), TypeError)
})

test('a previous password is tried in the same way, unless it is the same', async () => {
  const far = await theFarEnds(
    ({ authorization }) => (authorization === basicHeader('the one before') ? virtualToken() : refuseClient()),
    basic,
  )
  far.previous = 'the one before\n'
  assert.equal((await far.ask()).source, 'server')
  assert.deepEqual(
    far.tokens.requests.map(({ authorization }) => authorization),
    [basicHeader('the first'), 'Basic dGhlQ2xpZW50OnRoZStvbmUrYmVmb3Jl'],
  )
  assert.deepEqual(far.previousReads, [passwordName])

  const same = await theFarEnds(refuseClient, basic)
  same.previous = 'the first\n'
  await assert.rejects(same.ask(), { code: 'cooling_down' })
  assert.equal(same.tokens.requests.length, 1)
})
