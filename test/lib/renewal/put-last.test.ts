import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFleetWithEventBus } from '../../support/virtual/fleet-with-event-bus.ts'
import { virtualRefusal, virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'

test('a warm run renews tokens that failed the last time after all others, with one attempt', async () => {
  let isFailing = false
  const fleet = createFleetWithEventBus(
    ({ form }) => {
      if (!isFailing || !form.get('audience')?.startsWith('bad')) return virtualToken()
      return form.get('audience') === 'bad-1' ? { status: 503, body: '' } : virtualRefusal('access_denied')
    },
    { changes: { server: { maximumConcurrency: 1 } } },
  )
  await fleet.getAll(['bad-1', 'bad-2', 'good-1', 'good-2'])
  isFailing = true
  await fleet.time.advance(150_000)
  const first = await fleet.time.until(fleet.refresher.warm())
  assert.deepEqual([first.renewed, first.failed], [2, 2])

  await fleet.time.advance(150_000)
  const before = fleet.requests().length
  await fleet.time.until(fleet.refresher.warm())
  const audiences = fleet
    .requests()
    .slice(before)
    .map(({ form }) => form.get('audience'))
  assert.deepEqual(audiences.slice(0, 2).sort(), ['good-1', 'good-2'])
  assert.deepEqual(audiences.slice(2).sort(), ['bad-1', 'bad-2'])
})
