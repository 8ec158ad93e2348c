import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CallerRequest } from '../../../lib/access-token/token.ts'
import { InvalidRequestError } from '../../../lib/admission/invalid-request.ts'
import type { ServedConnection } from '../../../lib/configuration/connection.ts'
import { tokenExchange } from '../../../lib/configuration/grant-type.ts'
import { CoolingDownError } from '../../../lib/get-token/token-error.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import type { TokenEndpointAnswer } from '../../../lib/token-endpoint/token-endpoint.ts'
import { TimedOutError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import { plainAssertion, plainConnection } from '../../support/elements/plain-connection.ts'
import {
  createTokensInVirtualTime,
  type TokensInVirtualTime,
  virtualRefusal,
  virtualToken,
} from '../../support/virtual/tokens-in-virtual-time.ts'

/* Tokens that callers send to be exchanged: what is kept for how long, and which requests wait after a failure. */

const connection: ServedConnection = {
  ...plainConnection,
  grant: { type: tokenExchange, subject: { type: 'urn:ietf:params:oauth:token-type:access_token' } },
}

/** A server that accepts every subject token but those that begin with `bad`. */
function serverThatRefuses(answer: TokenEndpointAnswer | 'silence', changes: Partial<ServedConnection> = {}) {
  return createTokensInVirtualTime(
    ({ form, index }) => {
      if (!form.get('subject_token')?.startsWith('bad')) return virtualToken({ access_token: `token-${index}` })
      return answer === 'silence' ? Promise.reject(new TimedOutError('late', { isServers: true })) : answer
    },
    { connection: { ...connection, ...changes } },
  )
}

const withToken = (text: string, caller = 'one'): Partial<CallerRequest> => ({
  caller,
  subjectToken: { token: new Secret(text) },
})

async function failureOf(tokens: TokensInVirtualTime, request: Partial<CallerRequest>): Promise<unknown> {
  return await tokens.time.until(
    tokens.get(request).then(
      () => undefined,
      (error: unknown) => error,
    ),
  )
}

function jwtEnding(at: number, id = ''): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none' })}.${part({ exp: at / 1000, id })}.x`
}

test('each subject token has a token of its own, and callers that send the same one share it', async () => {
  const tokens = serverThatRefuses(virtualRefusal('invalid_request'))
  const get = async (text: string, caller?: string) =>
    (await tokens.time.until(tokens.get(withToken(text, caller)))).token.accessToken.reveal()
  const [first, again, others] = [await get('a'), await get('a', 'two'), await get('b')]
  assert.equal(first, again)
  assert.notEqual(first, others)
  assert.equal(tokens.requests.length, 2)
})

test('processes of a fleet share it, and make one token request', async () => {
  const endpoint = () => virtualToken()
  const one = createTokensInVirtualTime(endpoint, { connection })
  const fleet = [one, ...[1, 2, 3].map(() => createTokensInVirtualTime(endpoint, { connection, fleet: one }))]
  await one.time.until(Promise.all(fleet.flatMap((each) => [1, 2, 3].map(() => each.get(withToken('a'))))))
  assert.equal(
    fleet.reduce((sum, { requests }) => sum + requests.length, 0),
    1,
  )
})

test('what was obtained is kept no longer than the subject token is valid, in memory and in the fleet', async () => {
  const endpoint = () => virtualToken({ expires_in: 3_600 })
  const one = createTokensInVirtualTime(endpoint, { connection })
  const other = createTokensInVirtualTime(endpoint, { connection, fleet: one })
  const request = withToken(jwtEnding(one.time.now() + 100_000))
  const get = async (from: TokensInVirtualTime) => {
    const { token, source } = await one.time.until(from.get(request))
    assert.equal(token.issuedTokenType, 'urn:ietf:params:oauth:token-type:access_token', source)
    return source
  }
  assert.deepEqual([await get(one), await get(one), await get(other)], ['server', 'memory', 'cache'])
  const { secondsLeft } = await one.time.until(one.get(request))
  assert.ok(secondsLeft > 3_000, 'the caller is told how long the token lives')
  await one.time.advance(101_000)
  assert.deepEqual([await get(one), await get(other)], ['server', 'server'])
})

test('what was obtained with a token that is not a JWT is kept for 60 s', async () => {
  const tokens = serverThatRefuses(virtualRefusal('invalid_request'))
  await tokens.time.until(tokens.get(withToken('a')))
  await tokens.time.advance(59_000)
  assert.equal((await tokens.time.until(tokens.get(withToken('a')))).source, 'memory')
  await tokens.time.advance(1_000)
  assert.equal((await tokens.time.until(tokens.get(withToken('a')))).source, 'server')
})

test('no warm run and no event renews it', async () => {
  const tokens = serverThatRefuses(virtualRefusal('invalid_request'))
  await tokens.time.until(tokens.get(withToken('a')))
  for (let minute = 0; minute < 20; minute++) {
    await tokens.time.advance(60_000)
    await tokens.time.until(tokens.warm())
  }
  assert.equal(tokens.requests.length, 1)
})

test('where Tokenwell makes the subject token, what was obtained with the actor token of a caller takes no place among the warm tokens', async () => {
  const assertion = plainAssertion()
  const warm: ServedConnection = {
    ...connection,
    grant: { type: tokenExchange, subject: { type: 'urn:ietf:params:oauth:token-type:jwt', assertion } },
    requestMay: { actor_token: true },
    warming: {
      authorizationServer: 'theServer',
      maximumConcurrency: 10,
      idleMilliseconds: 3_600_000,
      maximumVariants: 1,
    },
  }
  const endpoint = () => virtualToken({ expires_in: 600 })
  const one = createTokensInVirtualTime(endpoint, { connection: warm })
  const other = createTokensInVirtualTime(endpoint, { connection: warm, fleet: one })
  const actorToken = { token: new Secret(jwtEnding(one.time.now() + 3_600_000)), type: 'urn:a' }
  assert.equal((await one.time.until(one.get({ actorToken }))).source, 'server')
  assert.equal((await one.time.until(other.get({ actorToken }))).source, 'cache')
  await one.time.advance(460_000)
  assert.equal((await one.time.until(one.warm())).due, 0)
})

test('a token that ended more than 5 minutes ago is a mistake of the caller, and no request is made', async () => {
  const tokens = serverThatRefuses(virtualRefusal('invalid_request'))
  const { time } = tokens
  const error = await failureOf(tokens, withToken(jwtEnding(time.now() - 300_000)))
  assert.ok(error instanceof InvalidRequestError, String(error))
  assert.match(error.message, /^subject_token ended more than 5 minutes ago/)
  const actorToken = { token: new Secret(jwtEnding(time.now() - 300_000)), type: 'urn:a' }
  assert.match(String(await failureOf(tokens, { ...withToken('a'), actorToken })), /actor_token ended/)
  assert.equal(tokens.requests.length, 0)
  // Clocks differ, and some servers tolerate five minutes.
  assert.equal(await failureOf(tokens, withToken(jwtEnding(time.now() - 299_000))), undefined)
  assert.equal(tokens.requests.length, 1)
})

/** What a server may answer to a bad subject token. */
const refusals: readonly (readonly [string, TokenEndpointAnswer | 'silence', Partial<ServedConnection>?])[] = [
  ['invalid_request, as RFC 8693 says', virtualRefusal('invalid_request')],
  ['invalid_grant', virtualRefusal('invalid_grant')],
  ['invalid_token', virtualRefusal('invalid_token')],
  ['access_denied', virtualRefusal('access_denied', { status: 403 })],
  ['unauthorized_client', virtualRefusal('unauthorized_client')],
  ['invalid_client', virtualRefusal('invalid_client', { status: 401 })],
  ['401 with a challenge', virtualRefusal('invalid_token', { status: 401, challenge: 'Bearer' })],
  ['status 500', { status: 500, body: '' }],
  ['status 503', { status: 503, body: '' }],
  ['nothing at all', 'silence'],
  ['a page', { status: 200, body: '<html>' }],
  [
    'invalid_client to a client without credentials',
    virtualRefusal('invalid_client', { status: 401 }),
    { clientAuthentication: { method: 'none', sendClientId: false } },
  ],
]

for (const [title, answer, changes] of refusals)
  test(`${title}: a bad subject token stops no other token and no other caller`, async () => {
    const tokens = serverThatRefuses(answer, changes)
    assert.ok((await failureOf(tokens, withToken('bad'))) instanceof CoolingDownError)
    const sent = tokens.requests.length
    assert.ok((await failureOf(tokens, withToken('bad', 'two'))) instanceof CoolingDownError, 'its token key waits')
    assert.equal(tokens.requests.length, sent)
    assert.equal(await failureOf(tokens, withToken('good', 'two')), undefined)
    assert.equal(await failureOf(tokens, withToken('better')), undefined)
  })

test('a caller with ten bad tokens within a minute waits, and other callers go on', async () => {
  const tokens = serverThatRefuses(virtualRefusal('invalid_request'))
  for (let count = 0; count < 10; count++) await failureOf(tokens, withToken(`bad-${count}`))
  const sent = tokens.requests.length
  assert.ok((await failureOf(tokens, withToken('good'))) instanceof CoolingDownError)
  assert.equal(tokens.requests.length, sent)
  assert.equal(await failureOf(tokens, withToken('good', 'two')), undefined)
})

test('a 429 makes the other tokens of this caller wait, and no other caller', async () => {
  const tokens = serverThatRefuses({ status: 429, body: '', retryAfter: '20' })
  assert.ok((await failureOf(tokens, withToken('bad'))) instanceof CoolingDownError)
  assert.ok((await failureOf(tokens, withToken('good'))) instanceof CoolingDownError)
  assert.equal(await failureOf(tokens, withToken('good', 'two')), undefined)
})

test("no log shows a caller's token, or what the server says of it", async () => {
  const jwt = jwtEnding(4_000_000_000_000, 'bad')
  const tokens = createTokensInVirtualTime(
    () =>
      virtualRefusal('invalid_request', {
        body: JSON.stringify({ error: 'invalid_request', error_description: `alice is unknown ${jwt}` }),
      }),
    { connection: { ...connection, clientAuthentication: { method: 'none', sendClientId: false } } },
  )
  const error = await failureOf(tokens, withToken(jwt))
  assert.ok(error instanceof CoolingDownError)
  const told = JSON.stringify(tokens.events)
  assert.ok(!told.includes('alice') && !told.includes(jwt.slice(0, 30)), told)
  assert.match(error.publicMessage, /alice is unknown \[\.\.\.\]/, 'the caller itself may read it')
  assert.doesNotMatch(error.message, /alice/)
})

test('no error names the type that a server invents for a token, or that a caller asks for: it may hold a token or a user', async () => {
  const requestMay = { requested_token_type: true } as const
  const tokens = createTokensInVirtualTime(
    ({ form }) => {
      return virtualToken({ issued_token_type: `urn:for:${form.get('subject_token')}` })
    },
    { connection: { ...connection, requestMay } },
  )
  const further = { requested_token_type: 'urn:of:alice' }
  const error = await failureOf(tokens, { ...withToken('s3cret-token'), further })
  assert.ok(error instanceof CoolingDownError)
  assert.match(
    error.message,
    /issued a token of the type \[\.\.\.\], but \[\.\.\.\] was requested\. Set requestedTokenType/,
  )
  assert.doesNotMatch(`${error.message} ${JSON.stringify(tokens.events)}`, /s3cret|alice/)
})
