import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Token } from '../../../lib/access-token/token.ts'
import type { JwtBearerGrant, ServerToDiscover } from '../../../lib/configuration/connection.ts'
import { jwtBearer } from '../../../lib/configuration/grant-type.ts'
import { createTokenEndpoints } from '../../../lib/discovery/token-endpoints.ts'
import { type Lease, LeaseLostError, unsharedLease } from '../../../lib/fleet/lease.ts'
import { createAttempts, type LeasedContext } from '../../../lib/get-token/attempts.ts'
import { createSecondAttemptPolicy, type SecondAttempt } from '../../../lib/get-token/second-attempt.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { createSecretCache } from '../../../lib/secret/secret-cache.ts'
import { KeyStoreError } from '../../../lib/signing/signing-key.ts'
import { WebIdentityError } from '../../../lib/signing/web-identity.ts'
import { createClockOffsets } from '../../../lib/token-endpoint/clock-offset.ts'
import type { RequestKeys } from '../../../lib/token-endpoint/request-keys.ts'
import { timeoutsUntil } from '../../../lib/token-endpoint/token-endpoint.ts'
import { type ClockOffset, RefusedError, TimedOutError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import { plainAssertion, plainConnection } from '../../support/elements/plain-connection.ts'
import { singleVersionSecrets } from '../../support/virtual/secret-stores.ts'

const now = 1_000_000
const token: Token = {
  ...{ id: 'the-token', connection: 'conn', accessToken: new Secret('some-token') },
  ...{ issuedAt: now, refreshAt: now, expiresAt: now, usableUntil: now },
}
const refusal = (error: string, clockOffset?: ClockOffset) =>
  new RefusedError(`It says ${error}.`, error, 'client', { ...(clockOffset && { clockOffset }) })
const previousKeys: RequestKeys = {
  client: { way: { method: 'tls_client_auth' } },
  grant: { grant: { type: 'client_credentials' } },
}

const context: LeasedContext = {
  connection: plainConnection,
  request: { caller: 'direct', connection: 'conn', further: {} },
  parameters: { scope: [], resource: [], further: {} },
  deadline: now + 25_000,
  fingerprint: 'the-elements',
  lease: unsharedLease,
  mendedAt: undefined,
}

/** Attempts at a server that gives these answers in this order, with this reason for the first refusal. */
function theAttempts(answers: readonly (Token | Error)[], second: SecondAttempt = { kind: 'none' }) {
  const keys: (RequestKeys | undefined)[] = []
  const useless: SecondAttempt[] = []
  const left = [...answers]
  const attempts = createAttempts({
    tokenEndpoints: createTokenEndpoints({
      source: { get: () => assert.fail('the elements say where the token endpoint is') },
      events: { isHeard: false, async raise() {} },
      now: () => now,
      async pause() {},
      log() {},
    }),
    tokenClient: {
      async readKeys(_connection, otherKeys) {
        keys.push(otherKeys)
        return { ...previousKeys, readMilliseconds: 0 }
      },
      async requestToken() {
        const answer = left.shift() ?? assert.fail('no further attempt is expected')
        if (answer instanceof Error) throw answer
        return answer
      },
    },
    secondAttempts: {
      choose: async () => second,
      noteUseless: (_connection, attempt) => void useless.push(attempt),
    },
    now: () => now,
  })
  return { attempts, keys, useless }
}

test('a second attempt that helped is returned once', async () => {
  const second = { kind: 'by_previous_key', keys: previousKeys } as const
  const { attempts, keys } = theAttempts([refusal('invalid_client'), token], second)
  assert.equal(attempts.takeHelpful(plainConnection), undefined)
  assert.equal(await attempts.make(context), token)
  assert.deepEqual(keys, [undefined, previousKeys])
  assert.equal(attempts.takeHelpful(plainConnection), second)
  assert.equal(attempts.takeHelpful(plainConnection), undefined)
})

test('a guessed clock offset is tried with the current key', async () => {
  const { attempts, keys } = theAttempts([refusal('invalid_client'), token], {
    kind: 'by_guessed_clock',
    offsetBefore: 0,
  })
  await attempts.make(context)
  assert.deepEqual(keys, [undefined, undefined])
})

test('of two refusals, the callers get the one of the current key, secret and clock', async () => {
  const [first, other] = [refusal('invalid_client'), refusal('unauthorized_client')]
  for (const [second, told] of [
    [{ kind: 'repeat' }, other],
    [{ kind: 'by_previous_key', keys: previousKeys }, first],
    [{ kind: 'by_guessed_clock', offsetBefore: 0 }, first],
  ] as const) {
    const { attempts, useless } = theAttempts([first, other], second)
    await assert.rejects(attempts.make(context), told)
    assert.deepEqual(useless, [second])
    assert.equal(attempts.takeHelpful(plainConnection), undefined)
  }
})

test('a previous key that cannot be used, for example because it has no certificate, does not hide the refusal of the current one', async () => {
  const [first, unusable] = [
    refusal('invalid_client'),
    new KeyStoreError('tokenwell/test/the-key', 'holds no certificate.'),
  ]
  const { attempts, useless } = theAttempts([first, unusable], { kind: 'by_previous_key', keys: previousKeys })
  await assert.rejects(attempts.make(context), first)
  assert.equal(useless.length, 1)
  await assert.rejects(theAttempts([first, unusable], { kind: 'repeat' }).attempts.make(context), unusable)
})

test('AWS gives no identity token for the second attempt: that does not hide the refusal', async () => {
  const [first, away] = [refusal('invalid_client'), new WebIdentityError('theIdentity', 'AWS STS gives no answer now.')]
  const guess = { kind: 'by_guessed_clock', offsetBefore: 0 } as const
  const { attempts, useless } = theAttempts([first, away], guess)
  await assert.rejects(attempts.make(context), first)
  assert.deepEqual(useless, [guess])
})

test('a second attempt that helped another request is made for this one as well, where there is time', async () => {
  const helpful = { kind: 'by_previous_key', keys: previousKeys } as const
  const { attempts, keys } = theAttempts([token])
  assert.equal(await attempts.repeatBy(helpful, { ...context, deadline: now }), undefined)
  assert.deepEqual(keys, [])
  assert.equal(await attempts.repeatBy(helpful, context), token)
  assert.deepEqual(keys, [previousKeys])
})

test('where that second attempt does not help, the first failure counts; a lost lease or a programming error is thrown', async () => {
  for (const error of [refusal('access_denied'), new TimedOutError('late')])
    assert.equal(await theAttempts([error]).attempts.repeatBy({ kind: 'repeat' }, context), undefined)
  for (const error of [new LeaseLostError(), new TypeError('ours')])
    await assert.rejects(theAttempts([error]).attempts.repeatBy({ kind: 'repeat' }, context), error)
})

/** Attempts whose token endpoint the metadata of the issuer names, and what the lease, the client and the issuer were asked. */
function attemptsToDiscover(outcome: Token | Error = token) {
  const seen: unknown[] = []
  const attempts = createAttempts({
    tokenEndpoints: {
      longestWaitMilliseconds: () => (seen.includes('metadata') ? 0 : 10_000),
      async locate(connection) {
        seen.push('metadata')
        return { ...connection, authorizationServer: { ...plainServer, tokenEndpoint: 'https://as.example.com/found' } }
      },
      doubt: () => void seen.push('doubt'),
    },
    tokenClient: {
      async readKeys({ authorizationServer }, otherKeys) {
        seen.push(authorizationServer.tokenEndpoint)
        return { ...(otherKeys ?? previousKeys), readMilliseconds: 0 }
      },
      async requestToken() {
        if (outcome instanceof Error) throw outcome
        return outcome
      },
    },
    secondAttempts: { choose: async () => ({ kind: 'none' }), noteUseless() {} },
    now: () => now,
  })
  const lease: Lease = {
    ...unsharedLease,
    async keepFor(milliseconds) {
      seen.push(milliseconds)
    },
  }
  const discovered: LeasedContext = {
    ...context,
    lease,
    connection: { ...plainConnection, authorizationServer: toDiscover },
  }
  return { attempts, seen, discovered }
}

const { tokenEndpoint: _written, ...plainServer } = plainConnection.authorizationServer
const toDiscover: ServerToDiscover = {
  ...plainServer,
  issuer: 'https://as.example.com',
  discovery: { hosts: [], noProxy: [] },
}
const { totalMilliseconds: attemptMilliseconds } = timeoutsUntil(
  context.deadline,
  now,
  plainConnection.authorizationServer,
)

test('the lease is kept while the metadata is read and the attempt is made, and only for the attempt once the endpoint is known', async () => {
  const { attempts, seen, discovered } = attemptsToDiscover()
  assert.equal(await attempts.make(discovered), token)
  const found = 'https://as.example.com/found'
  assert.deepEqual(seen, [10_000 + attemptMilliseconds, 'metadata', found, attemptMilliseconds])
  assert.equal(await attempts.make(discovered), token)
  assert.deepEqual(seen.slice(4), ['metadata', found, attemptMilliseconds])
})

test('the lease is never kept longer than the caller waits', async () => {
  const { attempts, seen, discovered } = attemptsToDiscover()
  await attempts.make({ ...discovered, deadline: now + 9_000 })
  assert.equal(seen[0], 9_000)
})

test('a connection whose elements name the endpoint keeps it', async () => {
  const { attempts, seen } = attemptsToDiscover()
  await attempts.make(context)
  assert.deepEqual(seen, [plainConnection.authorizationServer.tokenEndpoint])
})

test('a failure of the endpoint or the way to it raises a doubt about where it is, and a refusal does not', async () => {
  for (const [failure, doubts] of [
    [new TimedOutError('late', { isServers: true }), true],
    [new TimedOutError('late', { isServers: true, wasSent: false }), true],
    [refusal('invalid_client'), false],
    [new TypeError('ours'), false],
  ] as const) {
    const { attempts, seen, discovered } = attemptsToDiscover(failure)
    await assert.rejects(attempts.make(discovered), failure)
    assert.equal(seen.includes('doubt'), doubts, failure.message)
  }
})

test('a repetition goes to the discovered endpoint too', async () => {
  const { attempts, seen, discovered } = attemptsToDiscover()
  assert.equal(await attempts.repeatBy({ kind: 'repeat' }, discovered), token)
  assert.equal(seen[2], 'https://as.example.com/found')
})

test('where each request must set claims, no own request could find the reason of a refusal, so a second attempt is made at once', async () => {
  const grant: JwtBearerGrant = { type: jwtBearer, assertion: plainAssertion(), assertionParameters: {} }
  const request: LeasedContext['request'] = { ...context.request, claims: { tenant: 't' } }
  const mayBeEither = new RefusedError('It says invalid_grant.', 'invalid_grant', 'client')
  for (const [claimsFromRequest, told] of [
    [{ tenant: true }, undefined],
    [{}, mayBeEither],
  ] as const) {
    const { attempts } = theAttempts([mayBeEither, token], { kind: 'repeat' })
    const made = attempts.make({
      ...context,
      request,
      connection: { ...plainConnection, grant: { ...grant, claimsFromRequest } },
    })
    if (told) await assert.rejects(made, told)
    else assert.equal(await made, token)
  }
})

/** A policy whose secret has this text when it is read again, and that knows this offset of the server's clock. */
async function thePolicy(text: string, offset = 0) {
  const events: string[] = []
  let stored = 'the first'
  const secrets = createSecretCache(
    singleVersionSecrets(async () => new Secret(stored)),
    () => now,
  )
  await secrets.get('tokenwell/test/the-key')
  stored = text
  const clockOffsets = createClockOffsets()
  clockOffsets.learn('theServer', offset)
  const policy = createSecondAttemptPolicy({
    keys: { current: async () => previousKeys, previous: async () => undefined },
    ...{ clockOffsets, secrets, log: ({ event }) => void events.push(event) },
  })
  return { policy, clockOffsets, events }
}

test('a measured clock offset comes first, a newer secret comes before a guess, and without a reason no second attempt is made', async () => {
  const guess = { milliseconds: 60_000, isGuess: true }
  for (const [text, clockOffset, chosen, events] of [
    ['the first', { milliseconds: 5_000, isGuess: false }, { kind: 'repeat' }, ['clock_offset_learned']],
    ['the second', guess, { kind: 'repeat' }, ['newer_secret_found']],
    ['the first', guess, { kind: 'by_guessed_clock', offsetBefore: 7_000 }, ['clock_offset_learned']],
    ['the first', undefined, { kind: 'none' }, []],
  ] as const) {
    const { policy, events: seen } = await thePolicy(text, 7_000)
    assert.deepEqual(await policy.choose(plainConnection, refusal('invalid_client', clockOffset)), chosen)
    assert.deepEqual(seen, events)
  }
})

test('the previous key of the client is asked for if the server refused the client, and otherwise that of the grant', async () => {
  for (const [error, isOfClient] of [
    ['invalid_client', true],
    ['invalid_grant', false],
    ['unauthorized_client', false],
  ] as const) {
    const asked: boolean[] = []
    const policy = createSecondAttemptPolicy({
      keys: {
        current: async () => previousKeys,
        previous: async (_connection, isOfClient) => {
          asked.push(isOfClient)
          return previousKeys
        },
      },
      clockOffsets: createClockOffsets(),
      secrets: createSecretCache(
        singleVersionSecrets(async () => new Secret('the only')),
        () => now,
      ),
      log: () => {},
    })
    const chosen = await policy.choose(plainConnection, refusal(error))
    assert.deepEqual([chosen, asked], [{ kind: 'by_previous_key', keys: previousKeys }, [isOfClient]])
  }
})

test('a guessed offset is never more than five minutes', async () => {
  for (const [offset, milliseconds, kind] of [
    [240_000, 60_000, 'by_guessed_clock'],
    [240_001, 60_000, 'none'],
    [-240_000, -60_000, 'by_guessed_clock'],
    [-240_001, -60_000, 'none'],
  ] as const) {
    const { policy } = await thePolicy('the first', offset)
    const chosen = await policy.choose(plainConnection, refusal('invalid_client', { milliseconds, isGuess: true }))
    assert.equal(chosen.kind, kind, String(offset))
  }
})

test('a guess that did not help is undone, and nothing else', async () => {
  const { policy, clockOffsets } = await thePolicy('the first', 7_000)
  policy.noteUseless(plainConnection, { kind: 'repeat' })
  assert.equal(clockOffsets.of('theServer'), 7_000)
  policy.noteUseless(plainConnection, { kind: 'by_guessed_clock', offsetBefore: 3_000 })
  assert.equal(clockOffsets.of('theServer'), 3_000)
})

test('a second attempt that has helped one token of a connection is not used for another, which has other keys', async () => {
  const second = { kind: 'by_previous_key', keys: previousKeys } as const
  const { attempts } = theAttempts([refusal('invalid_client'), token], second)
  await attempts.make(context)
  const another = { ...plainConnection, authentication: { kind: 'authToken', id: 'another' } } as const
  assert.equal(attempts.takeHelpful(another), undefined)
  assert.deepEqual(attempts.takeHelpful(plainConnection), second)
})
