import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { IncomingEvent } from '../../../lib/renewal/incoming-event.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { createSecretCache } from '../../../lib/secret/secret-cache.ts'
import type { TokenEndpointAnswer } from '../../../lib/token-endpoint/token-endpoint.ts'
import { UnreachableError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import type { ElementChanges } from '../../support/elements/elements.ts'
import { changed, createFleetWithEventBus, type FleetWithEventBus } from '../../support/virtual/fleet-with-event-bus.ts'
import { singleVersionSecrets } from '../../support/virtual/secret-stores.ts'
import { virtualRefusal, virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'

/* What ends a cool-down early: changed elements, a changed secret, a repaired way, or an operator who clears. */

const clear: IncomingEvent = { type: 'ClearTokenCache', connection: 'conn' }
const secretChanged: IncomingEvent = { type: 'SecretChanged', name: 'tokenwell/local/jwk/theBuilder' }

const blocked = () => {
  throw new UnreachableError('Virtually: the CA is unknown.', { blames: 'way', isLasting: true })
}
const limited = (): TokenEndpointAnswer => ({ status: 429, body: '', retryAfter: '300' })

/**
 * A fleet whose server has failed once and works again, while the cool-down lasts. Also the secrets that its operator
 * stores.
 */
async function failed(failure: () => TokenEndpointAnswer) {
  const far = { isFine: false }
  const stored = { text: 'the first version' }
  const store = singleVersionSecrets(async (name) => new Secret(`${stored.text} of ${name}`))
  const secrets = { ...createSecretCache(store, () => 0) }
  const fleet = createFleetWithEventBus(() => (far.isFine ? virtualToken() : failure()), { secrets })
  assert.equal(await outcome(fleet), 'refused')
  far.isFine = true
  await fleet.time.advance(2_000)
  assert.equal(await outcome(fleet), 'refused', 'the cool-down must last')
  return { fleet, stored }
}

/** What a caller of each process gets, if all get the same. */
async function outcome({ time, callers }: FleetWithEventBus): Promise<string> {
  const all = await time.until(Promise.allSettled(callers.map((caller) => caller.get())))
  const had = new Set(all.map(({ status }) => (status === 'fulfilled' ? 'a token' : 'refused')))
  return [...had].join(' and ')
}

/** An operator's change. All events that follow from it are answered. */
async function mend(fleet: FleetWithEventBus, changes: ElementChanges, event: IncomingEvent = changed): Promise<void> {
  fleet.change(changes)
  await fleet.answer(event)
  await fleet.deliver()
}

for (const [name, failure] of [
  ['400 unauthorized_client', () => virtualRefusal('unauthorized_client')],
  ['401 invalid_client', () => virtualRefusal('invalid_client', { status: 401 })],
] as const)
  test(`after ${name} a changed element that changes the request ends the wait at once`, async () => {
    const { fleet } = await failed(failure)
    await mend(fleet, { builder: { issuer: 'anotherClient' }, tokenConfig: { tokenSubject: 'anotherClient' } })
    assert.equal(await outcome(fleet), 'a token')
  })

test('after a failed way another trust store ends the wait for each instance that has read the new elements', async () => {
  const { fleet } = await failed(blocked)
  fleet.change(
    {},
    {
      ssl: { defaultSSLConfig: { trustStoreRef: 'otherTrust' } },
      keyStore: { otherTrust: { location: 'tokenwell/local/another-ca' } },
    },
  )
  const late = fleet.join({}, () => virtualToken())
  assert.ok(await fleet.time.until(late.get()))
  assert.equal(await outcome(fleet), 'a token', 'the new token is shared with the fleet')
})

for (const [name, failure] of [
  ['a refused client', () => virtualRefusal('invalid_client', { status: 401 })],
  ['a refused connection', () => virtualRefusal('unauthorized_client')],
  ['a failed way', blocked],
] as const)
  test(`after ${name} a changed secret ends the wait at once`, async () => {
    const { fleet, stored } = await failed(failure)
    stored.text = 'the second version'
    await fleet.answer(secretChanged)
    assert.equal(await outcome(fleet), 'a token')
  })

for (const [name, failure] of [
  ['503', () => ({ status: 503, body: '' })],
  ['429 with Retry-After: 300', limited],
  ['401 invalid_client', () => virtualRefusal('invalid_client', { status: 401 })],
  ['400 unauthorized_client', () => virtualRefusal('unauthorized_client')],
  ['400 invalid_scope', () => virtualRefusal('invalid_scope')],
  ['a failed way', blocked],
] as const)
  test(`after ${name} clearing ends the wait at once`, async () => {
    const { fleet } = await failed(failure)
    await fleet.answer(clear)
    await fleet.deliver()
    assert.equal(await outcome(fleet), 'a token')
  })

test('clearing ends a wait at most once in 30 s', async () => {
  const fleet = createFleetWithEventBus(() => ({ status: 503, body: '', retryAfter: '300' }))
  await outcome(fleet)
  const before = fleet.requests().length
  for (let second = 0; second < 28; second++) {
    await fleet.answer(clear)
    await fleet.deliver()
    await outcome(fleet)
    await fleet.time.advance(1_000)
  }
  const requests = fleet.requests().length - before
  assert.ok(requests >= 1 && requests <= 2, `${requests} requests after 28 clearings in 28 s`)
})
