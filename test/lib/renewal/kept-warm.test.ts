import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TokenRequest } from '../../../lib/token/token-request.ts'
import { readConnectionRecord } from '../../../lib/token-cache/connection-record.ts'
import { connectionRecordName } from '../../../lib/token-cache/record-name.ts'
import { virtualRefusal, virtualToken } from '../../support/the-tokens.ts'
import { createWarmFleet, type WarmFleet } from '../../support/warm-fleet.ts'

/* Which tokens are renewed though nobody asks for them. */

const isWrong = ({ form }: { readonly form: URLSearchParams }) => form.get('audience')?.startsWith('wrong') ?? false

async function variantsOf({ caller }: WarmFleet) {
  const [record] = await caller.store.read([connectionRecordName('conn')])
  return record ? readConnectionRecord(record).variants : []
}

test('what never came takes no place among those that are kept warm, however often it is asked for', async () => {
  const fleet = createWarmFleet((request) => (isWrong(request) ? virtualRefusal('invalid_target') : virtualToken()), {
    changes: { endpoint: { warmVariants: 3 } },
  })
  for (let count = 0; count < 5; count++)
    await assert.rejects(fleet.time.until(fleet.caller.get({ audience: `wrong-${count}` })))
  assert.deepEqual(await variantsOf(fleet), [])
  await fleet.getAll(['one', 'two', 'three'])
  assert.equal((await variantsOf(fleet)).length, 3)
})

test('a hundred who ask for as many tokens at the same moment all share theirs', async () => {
  const fleet = createWarmFleet(() => virtualToken(), { changes: { endpoint: { warmVariants: 100 } }, size: 100 })
  const wanted = (index: number): Partial<TokenRequest> => ({ audience: `aud-${index}` })
  const first = await fleet.time.until(Promise.all(fleet.callers.map(({ get }, index) => get(wanted(index)))))
  const again = await fleet.time.until(Promise.all(fleet.callers.map(({ get }, index) => get(wanted(99 - index)))))
  assert.deepEqual(
    again.map(({ token }) => token.id),
    first.map(({ token }) => token.id).reverse(),
  )
  assert.equal(fleet.requests().length, 100)
})
