import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TokenwellError } from '../../../lib/base/tokenwell-error.ts'
import { CoolingDownError } from '../../../lib/get-token/token-error.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import { createAnnouncer, type Renewal } from '../../../lib/renewal/announce-renewals.ts'
import { SecretError } from '../../../lib/secret/secret-store.ts'
import { RefusedError, UnreachableError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import { createQueueingEventBus } from '../../support/virtual/queueing-event-bus.ts'
import { someToken } from '../../support/virtual/some-token.ts'

const connection = 'conn'
const failed = (error: TokenwellError): Renewal => ({ outcome: 'failed', connection, error })
const unreachable = new UnreachableError('nobody listens')
const refused = (fault: 'caller' | 'elements' | 'client') => new RefusedError('It refuses.', 'invalid_scope', fault)

function theAnnouncer(bus = createQueueingEventBus()) {
  const events: LogEvent[] = []
  return { bus, events, ...createAnnouncer({ events: bus, log: (event) => events.push(event) }) }
}

test('the event about a renewed token has its id and its expiry in seconds', async () => {
  const { bus, announce } = theAnnouncer()
  const token = someToken({ expiresAt: 1_800_000_000_999 })
  await announce([{ outcome: 'renewed', connection, token }])
  assert.deepEqual(bus.raised, [{ type: 'TokenRefreshed', connection, tokenId: token.id, expiresAt: 1_800_000_000 }])
})

test("the event about a failure has its code, or the server's code if the operator must fix it", async () => {
  for (const [error, told] of [
    [unreachable, { type: 'TokenRefreshFailed', connection, code: 'unreachable' }],
    [new SecretError('secret_denied', 'no right'), { type: 'TokenRefreshFailed', connection, code: 'secret_denied' }],
    [refused('client'), { type: 'ConnectionRefused', connection, error: 'invalid_scope' }],
    [refused('elements'), { type: 'ConnectionRefused', connection, error: 'invalid_scope' }],
    [refused('caller'), { type: 'TokenRefreshFailed', connection, code: 'refused' }],
    [
      CoolingDownError.after(unreachable, 30, { began: 'endpoint' }),
      { type: 'TokenRefreshFailed', connection, code: 'unreachable' },
    ],
    [
      CoolingDownError.after(refused('client'), 30, { began: 'client' }),
      { type: 'ConnectionRefused', connection, error: 'invalid_scope' },
    ],
  ] as const) {
    const { bus, announce } = theAnnouncer()
    await announce([failed(error)])
    assert.deepEqual(bus.raised, [told])
  }
})

test('no event is raised for a skipped renewal or for a cool-down that another process started', async () => {
  const { bus, announce } = theAnnouncer()
  await announce([
    { outcome: 'not_needed', connection },
    { outcome: 'under_way', connection },
    { outcome: 'unknown', connection },
    { outcome: 'cooling_down', connection, error: unreachable },
    failed(CoolingDownError.after(unreachable, 30)),
    failed(new CoolingDownError('a moment ago', 3)),
  ])
  assert.deepEqual(bus.raised, [])
})

test('a bus that fails is logged once and fails no renewal; without a bus no event is raised', async () => {
  const renewals = [failed(unreachable), failed(refused('client'))]
  const { bus, events, announce } = theAnnouncer()
  bus.refuse()
  await announce(renewals)
  assert.deepEqual(events, [
    { event: 'event_not_raised', connection, type: 'TokenRefreshFailed', reason: 'The bus does not take it.' },
  ])
  const mute = theAnnouncer(createQueueingEventBus({ isHeard: false }))
  await mute.announce(renewals)
  assert.deepEqual([mute.bus.raised, mute.events], [[], []])
})

test('a large number of events is raised in batches', async () => {
  const { bus, announce } = theAnnouncer()
  const sizes: number[] = []
  const raise = bus.raise
  Object.assign(bus, {
    raise(events: Parameters<typeof raise>[0]) {
      sizes.push(events.length)
      return raise(events)
    },
  })
  await announce(Array.from({ length: 250 }, () => failed(unreachable)))
  assert.equal(bus.raised.length, 250)
  assert.ok(Math.max(...sizes) <= 100)
})

test('an error that is not from the bus is thrown', async () => {
  const { bus, announce } = theAnnouncer()
  Object.assign(bus, { raise: () => Promise.reject(new TypeError('a fault')) })
  await assert.rejects(announce([failed(unreachable)]), TypeError)
})
