import assert from 'node:assert/strict'
import { test } from 'node:test'
import { publishedKeysRecordName } from '../../../lib/fleet/record-store.ts'
import { UnreachableError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import { changed, fulfilled } from '../../support/virtual/fleet-with-event-bus.ts'
import { putPublication } from '../../support/virtual/publications.ts'
import {
  createSeveralTokensFleet,
  type SeveralTokensChanges,
  type SeveralTokensFleet,
  sessionToken,
} from '../../support/virtual/several-tokens.ts'
import { virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'
import type { VirtualEndpoint } from '../../support/virtual/virtual-ports.ts'

/* Changes, clearings and trials of keys for a connection with several tokens: see several-tokens.ts. */

const everyServer: VirtualEndpoint = ({ server }) => (server === 'theServer' ? virtualToken() : sessionToken())
const tokens = [undefined, 'session', 'signed'] as const

async function getEach({ time, caller }: SeveralTokensFleet) {
  const all = tokens.map((authentication) => caller.get(authentication === undefined ? {} : { authentication }))
  const found = await time.until(Promise.all(all))
  return found.map(({ token, source }) => ({ source, id: token.id, text: token.accessToken.reveal() }))
}

async function change(fleet: SeveralTokensFleet, changes: SeveralTokensChanges): Promise<void> {
  fleet.changeSeveral(changes)
  fulfilled(await fleet.answer(changed))
}

test('a change of one element stages all tokens of the connection, so that no caller waits', async () => {
  const fleet = createSeveralTokensFleet(everyServer)
  const before = await getEach(fleet)
  await fleet.time.advance(60_000)
  await change(fleet, { session: { tokenRequest: { requestMethod: 'PUT', credentialLocation: 'header' } } })
  const after = await getEach(fleet)
  assert.deepEqual(
    after.map(({ source }) => source),
    ['cache', 'cache', 'cache'],
  )
  for (const [position, { text }] of after.entries()) assert.notEqual(text, before[position]?.text)
  assert.deepEqual([fleet.requestsTo('theServer'), fleet.requestsTo('sessionServer')], [2, 2])
})

test('where the token server of one token is dead, a change stages the others', async () => {
  let isDead = false
  const fleet = createSeveralTokensFleet((request) => {
    if (isDead && request.server === 'sessionServer') throw new UnreachableError('Nobody listens there.')
    return everyServer(request)
  })
  await getEach(fleet)
  isDead = true
  await fleet.time.advance(60_000)
  fleet.changeSeveral({ oAuth: { scope: 'other' } })
  await fleet.answer(changed)
  const main = await fleet.time.until(fleet.caller.get())
  const signed = await fleet.time.until(fleet.caller.get({ authentication: 'signed' }))
  assert.deepEqual([main.source, signed.source], ['cache', 'cache'])
  await assert.rejects(fleet.time.until(fleet.caller.get({ authentication: 'session' })), { code: 'cooling_down' })
})

test('a token that the connection loses is not renewed, and one that it gains is obtained at its first use', async () => {
  const fleet = createSeveralTokensFleet(everyServer, {
    several: { endpoint: { authenticationConfigRef: ['theConfig', 'session'] } },
  })
  await fleet.time.until(fleet.caller.get())
  await fleet.time.until(fleet.caller.get({ authentication: 'session' }))
  await change(fleet, { endpoint: { authenticationConfigRef: ['theConfig', 'signed'] } })
  await assert.rejects(fleet.time.until(fleet.caller.get({ authentication: 'session' })), {
    code: 'invalid_request',
    message: /authentication must be the id of a token of this connection: theConfig or signed\./,
  })
  const signed = await fleet.time.until(fleet.caller.get({ authentication: 'signed' }))
  assert.equal(signed.source, 'server')
  for (let minutes = 0; minutes < 10; minutes++) {
    await fleet.time.advance(60_000)
    await fleet.time.until(fleet.refresher.warm())
  }
  assert.equal(fleet.requestsTo('sessionServer'), 1)
  assert.ok(fleet.requestsTo('theServer') > 2)
})

test('where another token becomes the main one, each request gets the token of the element that it names', async () => {
  const fleet = createSeveralTokensFleet(everyServer, {
    several: { endpoint: { authenticationConfigRef: ['session', 'signed'] } },
  })
  const get = async (authentication?: string) => {
    const { token } = await fleet.time.until(fleet.caller.get(authentication === undefined ? {} : { authentication }))
    return token.accessToken.reveal().startsWith('some-session') ? 'session' : 'signed'
  }
  const all = async () => [await get(), await get('session'), await get('signed')]
  assert.deepEqual(await all(), ['session', 'session', 'signed'])
  await change(fleet, { endpoint: { authenticationConfigRef: ['signed', 'session'] } })
  assert.deepEqual(await all(), ['signed', 'session', 'signed'])
  await fleet.time.advance(60_000)
  await fleet.time.until(fleet.refresher.warm())
  assert.deepEqual(await all(), ['signed', 'session', 'signed'])
})

test('the order of the tokens beside the main one has no effect', async () => {
  const fleet = createSeveralTokensFleet(everyServer)
  const before = await getEach(fleet)
  await change(fleet, { endpoint: { authenticationConfigRef: ['theConfig', 'signed', 'session'] } })
  assert.deepEqual(
    (await getEach(fleet)).map(({ id }) => id),
    before.map(({ id }) => id),
  )
})

test('ClearTokenCache replaces all tokens of the connection', async () => {
  const fleet = createSeveralTokensFleet(everyServer)
  const before = await getEach(fleet)
  await fleet.time.advance(60_000)
  fulfilled(await fleet.answer({ type: 'ClearTokenCache', connection: 'conn' }))
  const after = await getEach(fleet)
  for (const [position, { source, text }] of after.entries()) {
    assert.equal(source, 'cache')
    assert.notEqual(text, before[position]?.text)
  }
})

test('a disabled connection hands out none of its tokens', async () => {
  const fleet = createSeveralTokensFleet(everyServer)
  await getEach(fleet)
  await change(fleet, { endpoint: { disabled: true } })
  for (const authentication of tokens)
    await assert.rejects(
      fleet.time.until(fleet.caller.get(authentication === undefined ? {} : { authentication })),
      { code: 'connection_disabled' },
      String(authentication),
    )
})

test('a JWT for one request is not staged, and a change does not wait for it', async () => {
  let hasJwtId = false
  const fleet = createSeveralTokensFleet((request) =>
    request.server === 'theServer' ? virtualToken() : sessionToken(hasJwtId ? { jti: 'some id' } : {}),
  )
  await getEach(fleet)
  hasJwtId = true
  const from = fleet.time.now()
  await change(fleet, { session: { tokenRequest: { requestMethod: 'PUT', credentialLocation: 'header' } } })
  assert.ok(fleet.time.now() - from < 2_000, 'the change waits for it')
  // One while the tokens are staged, and one when the change counts.
  assert.equal(fleet.requestsTo('sessionServer'), 3)
})

test('a new key is tried with a token that is requested with it', async () => {
  const fleet = createSeveralTokensFleet(
    ({ server }) => (server === 'theServer' ? virtualToken({ expires_in: 86_400 }) : sessionToken()),
    { several: { session: { cacheTokensWithJti: true } } },
  )
  const { time, caller } = fleet
  await getEach(fleet)
  const tryKey = async (jwtBuilder: string) => {
    const requestsBefore = [fleet.requestsTo('theServer'), fleet.requestsTo('sessionServer')] as const
    await putPublication(caller.store, jwtBuilder, { kind: 'keys', keys: [], tryAt: time.now() }, time.now())
    await time.until(fleet.refresher.warm())
    const [record] = await caller.store.read([publishedKeysRecordName(jwtBuilder)])
    assert.equal(record?.dueAt, undefined, 'the trial is over')
    return [fleet.requestsTo('theServer') - requestsBefore[0], fleet.requestsTo('sessionServer') - requestsBefore[1]]
  }
  // The others are used last, so that they come first.
  assert.deepEqual(await tryKey('theBuilder'), [1, 0])
  assert.deepEqual(await tryKey('signingBuilder'), [0, 0], 'no server gets a request that it signs')
})
