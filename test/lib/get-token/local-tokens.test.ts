import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { test } from 'node:test'
import { compactVerify, decodeJwt } from 'jose'
import { ConfigurationError } from '../../../lib/configuration/finding.ts'
import { connectionRecordName } from '../../../lib/fleet/record-store.ts'
import { createSecretCache } from '../../../lib/secret/secret-cache.ts'
import { SecretError } from '../../../lib/secret/secret-store.ts'
import { generateKey } from '../../../lib/signing/key-algorithm.ts'
import { KeyServiceError } from '../../../lib/signing/key-service.ts'
import { createSignerCache } from '../../../lib/signing/signer-cache.ts'
import { keyIdOf } from '../../../lib/signing/signing-key.ts'
import { localTokenElements } from '../../support/elements/local-token-elements.ts'
import { overhear, plant } from '../../support/output/canary.ts'
import { testKeyService } from '../../support/virtual/key-services.ts'
import { singleVersionSecrets } from '../../support/virtual/secret-stores.ts'
import {
  changeableElements,
  createTokensInVirtualTime,
  type TokensInVirtualTime,
  type TokensInVirtualTimeOptions,
} from '../../support/virtual/tokens-in-virtual-time.ts'

/* Tokens that Tokenwell signs itself. They live for 20 minutes, are stale after 936 s (a chance of 0.5), and usable for 1,170 s. */

type Changes = Parameters<typeof localTokenElements>[0]
/** The time in virtual time, in seconds. */
const start = 1_800_000_000
const builder = { jti: false, expiresInSeconds: '20m' }

function tokensOf(changes: Changes = {}, options: TokensInVirtualTimeOptions = {}): TokensInVirtualTime {
  const elements = changeableElements(localTokenElements({ ...changes, builder: { ...builder, ...changes.builder } }))
  return createTokensInVirtualTime(() => assert.fail('no server is asked'), { elements, ...options })
}

function fleetOf(size: number, changes: Changes = {}, options: TokensInVirtualTimeOptions = {}) {
  const first = tokensOf(changes, options)
  const others = Array.from({ length: size - 1 }, () => tokensOf(changes, { ...options, fleet: first }))
  const processes = [first, ...others]
  return { processes, first, time: first.time, signatures: () => processes.flatMap(signaturesOf).length }
}

const signaturesOf = ({ events }: TokensInVirtualTime) => events.filter(({ event }) => event === 'token_signed')
const claimsOf = ({ token }: Awaited<ReturnType<TokensInVirtualTime['get']>>) => decodeJwt(token.accessToken.reveal())

test('100 callers in each of 16 processes get one token by one signature', async () => {
  const { processes, time, signatures } = fleetOf(16, {}, { cacheLatency: 5 })
  const asking = processes.flatMap(({ get }) => Array.from({ length: 100 }, () => get()))
  const tokens = await time.until(Promise.all(asking))
  assert.equal(new Set(tokens.map(({ token }) => token.accessToken.reveal())).size, 1)
  assert.equal(signatures(), 1)
})

test('the log tells which element and key signed, and nothing that the token says', async () => {
  const { time, get, events } = tokensOf({ token: { tokenSubject: 'canary-subject' } })
  plant('canary-subject')
  await time.until(get())
  overhear(JSON.stringify(events))
  const [signed] = events.filter(({ event }) => event === 'token_signed')
  const told = { connection: 'conn', element: 'authTokenLocal/theLocalToken', kid: undefined, milliseconds: 0 }
  assert.deepEqual(signed, { event: 'token_signed', ...told })
  assert.doesNotMatch(JSON.stringify(events), /canary-subject/)
})

const ends: readonly (readonly [string, Changes, number])[] = [
  ['expiresInSeconds after it is signed', {}, 1200],
  ['the same, if iat is set back', { builder: { issuedAtOffset: '-60s' } }, 1200],
  ['at a fixed exp', { token: { claims: { exp: start + 600 } } }, 600],
  ['the same without iat', { builder: { omit: 'iat' } }, 1200],
]
for (const [when, changes, seconds] of ends)
  test(`a local token ends ${when}, never later than its exp`, async () => {
    const { time, get } = tokensOf(changes)
    // Signed in the middle of a second: exp counts whole seconds.
    await time.advance(500)
    const got = await time.until(get())
    const { issuedAt, refreshAt, usableUntil, expiresAt } = got.token
    assert.equal(expiresAt, (claimsOf(got).exp ?? 0) * 1000)
    assert.equal(expiresAt / 1000 - start, seconds)
    assert.equal(usableUntil, expiresAt - 30_000)
    assert.equal((refreshAt - issuedAt) / (usableUntil - issuedAt), 0.8)
  })

test('a stale token is handed out to all but one of its callers, and renewed once', async () => {
  const { processes, first, time, signatures } = fleetOf(4, {}, { memoryMaximumSeconds: 30 })
  const { token } = await time.until(first.get())
  await time.advance(token.refreshAt - time.now())
  const tokens = await time.until(Promise.all(processes.flatMap(({ get }) => [get(), get(), get()])))
  assert.equal(signatures(), 2)
  assert.ok(tokens.every(({ secondsLeft }) => secondsLeft >= 30))
})

test('warm runs renew a local token before it is stale, as often as it lives', async () => {
  const { time, get, warm, ...tokens } = tokensOf()
  await time.until(get())
  for (let minute = 0; minute < 60; minute++) {
    await time.until(warm())
    await time.advance(60_000)
  }
  const { source, secondsLeft } = await time.until(get())
  assert.equal(source, 'cache')
  assert.ok(secondsLeft > 200)
  const signed = signaturesOf(tokens as TokensInVirtualTime).length
  assert.ok(signed >= 4 && signed <= 6, String(signed))
})

test('a rejected token is signed anew once, and its replacement cannot be rejected for 10 s', async () => {
  const { processes, first, time, signatures } = fleetOf(4)
  const { token } = await time.until(first.get())
  await time.advance(20_000)
  const rejecting = processes.flatMap(({ get }) => [
    get({ rejectedTokenId: token.id }),
    get({ rejectedTokenId: token.id }),
  ])
  const again = await time.until(Promise.all(rejecting))
  assert.deepEqual([signatures(), new Set(again.map((each) => each.token.id)).size], [2, 1])
  const [{ token: second } = assert.fail()] = again
  await assert.rejects(time.until(first.get({ rejectedTokenId: second.id })), { code: 'cooling_down' })
})

test('a caller that needs a longer life gets a new token, and more than the whole life is refused', async () => {
  const { time, get } = tokensOf()
  const { token } = await time.until(get())
  await time.advance(300_000)
  const longer = await time.until(get({ minimumSeconds: 1100 }))
  assert.notEqual(longer.token.id, token.id)
  assert.ok(longer.secondsLeft >= 1100)
  await assert.rejects(
    time.until(get({ minimumSeconds: 1300 })),
    /is longer than the lifetime of this connection's tokens: 1200 s/,
  )
})

test('a fixed exp that has passed is a mistake that names its attribute, and no token is kept', async () => {
  const { time, get } = tokensOf({ token: { claims: { exp: start + 600 } } })
  await time.until(get())
  await time.advance(599_500)
  await assert.rejects(time.until(get()), (error) => {
    assert.ok(error instanceof ConfigurationError)
    assert.match(
      error.message,
      /^authTokenLocal\/theLocalToken claims: The fixed exp has passed, .* Take exp out of claims\.$/,
    )
    return true
  })
})

test('a token that lives for less than a second once it is signed is a mistake of the jwtBuilder', async () => {
  const { time, get } = tokensOf({ builder: { expiresInSeconds: '1s' } })
  await time.advance(500)
  await assert.rejects(
    time.until(get()),
    /^ConfigurationError: jwtBuilder\/theBuilder expiresInSeconds: The token is valid for less /,
  )
})

test('a key in KMS signs a local token once for the whole fleet, and a KMS that throttles fails no caller while a token is kept', async () => {
  const key = generateKey('ES256', 0)
  const keyService = testKeyService({ 'alias/tokenwell/local/partner': key })
  const signature = { jwkEnabled: false, keyStoreRef: 'inKms', signatureAlgorithm: 'ES256' }
  const elements = localTokenElements({ builder: { ...builder, ...signature } })
  const inKms = { location: 'kms:alias/tokenwell/local/partner' }
  const store = changeableElements({ ...elements, keyStore: { ...elements['keyStore'], inKms } })
  const first = createTokensInVirtualTime(() => assert.fail('no server is asked'), { elements: store, keyService })
  const { time } = first
  const got = await time.until(first.get())
  const { protectedHeader } = await compactVerify(got.token.accessToken.reveal(), createPublicKey(key))
  assert.deepEqual([protectedHeader.kid, keyService.signed.length], [keyIdOf(key), 1])

  keyService.failure = new KeyServiceError('alias/tokenwell/local/partner', 'is throttled.', { isPassing: true })
  const options = { elements: store, keyService, fleet: first }
  const second = createTokensInVirtualTime(() => assert.fail('no server is asked'), options)
  assert.equal((await time.until(second.get())).token.accessToken.reveal(), got.token.accessToken.reveal())
  await time.advance(1_200_000)
  await assert.rejects(time.until(second.get()), KeyServiceError)
  keyService.failure = undefined
  assert.notEqual((await time.until(second.get())).token.id, got.token.id)
})

/** A secret store that takes 100 ms and fails, and a process that signs with it. */
function failingKeys(isPassing: boolean, changes: Changes = {}) {
  const first = tokensOf()
  const { time } = first
  let reads = 0
  const store = singleVersionSecrets(async () => {
    reads++
    await time.pause(100)
    throw new SecretError(isPassing ? 'secret_throttled' : 'secret_missing', 'The secret cannot be read.')
  })
  const secrets = createSecretCache(store, time.now)
  const signers = createSignerCache(secrets, time.now)
  return { ...tokensOf(changes, { fleet: first, secrets, signers }), time, reads: () => reads }
}

for (const isPassing of [true, false])
  for (const jti of [true, false])
    test(`1,000 callers at a secret store that ${isPassing ? 'is throttled' : 'lacks the key'} cause one read, ${jti ? 'with' : 'without'} jti`, async () => {
      const { time, get, reads } = failingKeys(isPassing, { builder: { jti } })
      const outcomes = await time.until(Promise.allSettled(Array.from({ length: 1_000 }, () => get())))
      assert.ok(outcomes.every((each) => each.status === 'rejected' && each.reason instanceof SecretError))
      assert.equal(reads(), 1)
    })

test('a process without the key fails alone, and begins no cool-down for the others', async () => {
  const failing = failingKeys(false)
  const { time } = failing
  await assert.rejects(time.until(failing.get()), SecretError)
  const healthy = tokensOf({}, { fleet: failing })
  assert.equal((await time.until(healthy.get())).source, 'server')
  assert.equal((await time.until(failing.get())).source, 'cache')
})

test('each of many callers in a fleet gets a jti of its own, and nothing of it is kept or kept warm', async () => {
  const { processes, first, time } = fleetOf(4, { builder: { jti: true } }, { cacheLatency: 5 })
  const asking = processes.flatMap(({ get }) => Array.from({ length: 20 }, () => get()))
  const tokens = await time.until(Promise.all(asking))
  assert.equal(new Set(tokens.map((each) => claimsOf(each).jti)).size, 80)
  assert.ok(tokens.every(({ source }) => source === 'server'))
  const [record] = await first.store.read([connectionRecordName('conn')])
  assert.doesNotMatch(JSON.stringify(record), /"id"/, 'no variant is listed')
  assert.equal((await time.until(first.warm())).due, 0)
})

test('with cacheTokensWithJti all callers share one jti', async () => {
  const { processes, time, signatures } = fleetOf(4, { builder: { jti: true }, token: { cacheTokensWithJti: true } })
  const tokens = await time.until(Promise.all(processes.flatMap(({ get }) => [get(), get()])))
  assert.equal(new Set(tokens.map((each) => claimsOf(each).jti)).size, 1)
  assert.equal(signatures(), 1)
})
