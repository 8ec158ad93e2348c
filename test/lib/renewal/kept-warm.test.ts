import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TokenRequest } from '../../../lib/access-token/token.ts'
import { readConnectionRecord } from '../../../lib/fleet/connection-record.ts'
import type { StoredRecord } from '../../../lib/fleet/record-store.ts'
import { connectionRecordName } from '../../../lib/fleet/record-store.ts'
import { createFaultInjectingStore, isDown, isFine } from '../../support/virtual/fault-injecting-store.ts'
import { createFleetWithEventBus, type FleetWithEventBus } from '../../support/virtual/fleet-with-event-bus.ts'
import { virtualRefusal, virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'

/* Which tokens are renewed without a request of a caller. */

const isWrong = ({ form }: { readonly form: URLSearchParams }) => form.get('audience')?.startsWith('wrong') ?? false

async function variantsOf({ caller }: FleetWithEventBus) {
  const [record] = await caller.store.read([connectionRecordName('conn')])
  return record ? readConnectionRecord(record, caller.time.now()).variants : []
}

test('a token that was never obtained takes no place among the warm tokens, however often callers request it', async () => {
  const fleet = createFleetWithEventBus(
    (request) => (isWrong(request) ? virtualRefusal('invalid_target') : virtualToken()),
    {
      changes: { endpoint: { warmVariants: 3 } },
    },
  )
  for (let count = 0; count < 5; count++)
    await assert.rejects(fleet.time.until(fleet.caller.get({ audience: `wrong-${count}` })))
  assert.deepEqual(await variantsOf(fleet), [])
  await fleet.getAll(['one', 'two', 'three'])
  assert.equal((await variantsOf(fleet)).length, 3)
})

test('a hundred different tokens that are requested at the same time are all shared', async () => {
  const fleet = createFleetWithEventBus(() => virtualToken(), {
    changes: { endpoint: { warmVariants: 100 } },
    size: 100,
  })
  const wanted = (index: number): Partial<TokenRequest> => ({ audience: `aud-${index}` })
  const first = await fleet.time.until(Promise.all(fleet.callers.map(({ get }, index) => get(wanted(index)))))
  const again = await fleet.time.until(Promise.all(fleet.callers.map(({ get }, index) => get(wanted(99 - index)))))
  assert.deepEqual(
    again.map(({ token }) => token.id),
    first.map(({ token }) => token.id).reverse(),
  )
  assert.equal(fleet.requests().length, 100)
})

const minute = 60_000
const anHour = { changes: { endpoint: { warmIdle: '1h' } } }

/** Runs the schedule for so many minutes. */
async function runFor(
  fleet: FleetWithEventBus,
  minutes: number,
  eachMinute: (count: number) => Promise<unknown> = async () => {},
) {
  for (let count = 0; count < minutes; count++) {
    await eachMinute(count)
    const from = fleet.time.now()
    await fleet.time.until(fleet.refresher.warm())
    await fleet.time.advance(from + minute - fleet.time.now())
  }
}

test('a token that is no longer used is renewed for the idle time only', async () => {
  const fleet = createFleetWithEventBus(() => virtualToken(), anHour)
  const start = fleet.time.now()
  await fleet.getAll(['one'])
  await runFor(fleet, 120)
  const last = fleet.requests().at(-1)?.at ?? 0
  assert.ok(last > start + 50 * minute && last < start + 60 * minute, `${(last - start) / minute} min`)
  assert.equal((await fleet.time.until(fleet.refresher.warm())).due, 0)
})

test('a token that callers get from the cache counts as used, and is renewed', async () => {
  const fleet = createFleetWithEventBus(() => virtualToken(), anHour)
  await fleet.getAll(['one'])
  const sources = new Set<string>()
  await runFor(fleet, 180, async (count) => {
    if (count % 10 === 0) for (const { source } of await fleet.getAll(['one'])) sources.add(source)
  })
  assert.deepEqual(sources, new Set(['cache']))
})

test('a use that cannot be recorded does not delay or fail the caller', async () => {
  const store = createFaultInjectingStore()
  const fleet = createFleetWithEventBus(() => virtualToken(), { store })
  const isNote = (fields: StoredRecord['fields']) => String(fields['variants'] ?? '[]') !== '[]'
  store.before = { ...isFine, write: (_name, { fields }) => (isNote(fields) ? isDown() : undefined) }
  const [{ source } = assert.fail()] = await fleet.getAll(['one'])
  assert.equal(source, 'server')
  store.before = isFine
  await fleet.time.advance(6_000)
  await fleet.getAll(['one'])
  await fleet.getAll(['one'])
  assert.equal((await variantsOf(fleet)).length, 1, 'it is noted by a later one')
})

test('a run without time for a token names the authorization server of that token', async () => {
  const fleet = createFleetWithEventBus(() => virtualToken({ expires_in: 150 }))
  await fleet.getAll(['one'])
  await fleet.time.until(fleet.refresher.warm(1_000))
  await fleet.time.until(fleet.refresher.warm())
  const ended = fleet.refresher.events.filter(({ event }) => event === 'warm_run_ended')
  assert.deepEqual(
    ended.map((event) => event.event === 'warm_run_ended' && [event.left, event.leftAt]),
    [
      [1, ['theServer']],
      [0, []],
    ],
  )
})
