import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { RecordStore, StoredRecord } from '../../lib/fleet/record-store.ts'
import { type RecordName, recordNameText } from '../../lib/fleet/record-store.ts'
import { type Emulation, type OpenStores, promiseOver, someRecord, someRecordName } from './record-store.ts'

const noon = 1_795_521_600_000
const everything = 1_000

interface Written {
  readonly name: RecordName
  readonly record: StoredRecord
}

function someDueRecord(dueAt: number | undefined): StoredRecord {
  return { ...someRecord(), ...(dueAt !== undefined && { dueAt }) }
}

async function put(store: RecordStore, dueAt: number | undefined, name = someRecordName()): Promise<Written> {
  const record = someDueRecord(dueAt)
  assert.equal(await store.write(name, record, undefined), true)
  return { name, record }
}

async function change(store: RecordStore, { name, record }: Written, dueAt: number | undefined): Promise<Written> {
  const next = someDueRecord(dueAt)
  assert.equal(await store.write(name, next, record.version), true)
  return { name, record: next }
}

/** Looks twice, because the first call may tidy up, and the second must still be right. */
async function assertDue(store: RecordStore, [until, limit]: readonly [number, number], expected: readonly Written[]) {
  for (const look of ['first', 'second'])
    assert.deepEqual(
      (await store.due(until, limit)).map(recordNameText),
      expected.map(({ name }) => recordNameText(name)),
      `${look} look`,
    )
}

/**
 * A record becomes due at another time, or never. Or someone looks which records are due. There are few times, so many
 * are equal.
 */
type Step =
  | { readonly record: number; readonly dueAt: number | undefined }
  | { readonly until: number; readonly limit: number }

const someTime = fc.integer({ min: 0, max: 9 })
const arbitraryWrite = fc.record({ record: fc.nat(11), dueAt: fc.option(someTime, { nil: undefined }) })
const arbitraryLook = fc.record({ until: someTime, limit: fc.nat(14) })
export const arbitraryLife = fc.array(
  fc.oneof<[fc.Arbitrary<Step>, fc.Arbitrary<Step>]>(arbitraryWrite, arbitraryLook),
  {
    minLength: 10,
    maxLength: 40,
  },
)

/** Each look returns what a plain list would return. Afterwards none of these records is due. */
export async function liveAsSaid(store: RecordStore, life: readonly Step[]): Promise<void> {
  const { group } = someRecordName()
  const there = new Map<string, Written>()
  try {
    for (const step of life) {
      if (!('record' in step)) {
        await lookAsSaid(store, step, there)
        continue
      }
      const name = { group: `${group}-${step.record}`, id: `token#${step.record}` }
      const before = there.get(recordNameText(name))
      const after = before ? await change(store, before, step.dueAt) : await put(store, step.dueAt, name)
      there.set(recordNameText(name), after)
    }
  } finally {
    for (const written of there.values()) await change(store, written, undefined)
  }
}

/** Records that are due at the same time may come in any order. */
async function lookAsSaid(
  store: RecordStore,
  { until, limit }: { readonly until: number; readonly limit: number },
  there: ReadonlyMap<string, Written>,
): Promise<void> {
  const told = (await store.due(until, limit)).map(recordNameText)
  const times = [...there.values()].flatMap(({ record }) => record.dueAt ?? []).filter((dueAt) => dueAt <= until)
  assert.deepEqual(
    told.map((name) => there.get(name)?.record.dueAt),
    times.sort((a, b) => a - b).slice(0, limit),
  )
  assert.equal(new Set(told).size, told.length)
}

/** The promises of every record store about due records. */
export function testDueContract(name: string, open: OpenStores, { isAtomic }: Emulation = { isAtomic: true }): void {
  const promise = promiseOver(name, open)

  promise("a record's due time is read back exactly as it was written, with fractions", async (store) => {
    for (const dueAt of [0, 0.5, noon + 1 / 3, 4_102_444_800_001, 2 ** 53 - 1, undefined]) {
      const { name: recordName, record } = await put(store, dueAt)
      assert.deepEqual(await store.read([recordName]), [record])
      const [read] = await store.read([recordName, someRecordName()])
      assert.deepEqual(read, record)
    }
  })

  promise('the due records are those due at that time or earlier, the earliest first', async (store) => {
    assert.deepEqual(await store.due(noon, everything), [])
    const last = await put(store, noon)
    await put(store, noon + 0.5)
    const first = await put(store, noon - 60_000.25)
    await put(store, undefined)
    await put(store, noon + 3_600_000)
    const second = await put(store, noon - 0.5)
    await assertDue(store, [noon, everything], [first, second, last])
    await assertDue(store, [noon - 1, everything], [first])
    await assertDue(store, [noon - 120_000, everything], [])
  })

  promise('a name comes back as it was written, whatever characters it has', async (store) => {
    const names = ['g', 'my.conn-1_a', 'due', 'x'.repeat(128)].flatMap((group) =>
      ['generation', 'token#a-_', '#'].map((id) => ({ group, id })),
    )
    const written: Written[] = []
    for (const [index, each] of names.entries()) written.push(await put(store, noon + index, each))
    await assertDue(store, [noon + names.length, everything], written)
  })

  promise('with many due records, a limit returns the earliest ones', async (store) => {
    const order = Array.from({ length: 300 }, (_, index) => (index * 7) % 300)
    const groups = Array.from({ length: 12 }, () => someRecordName().group)
    const written = await Promise.all(
      order.map((place, index) =>
        put(store, noon + place * 1000, someRecordName({ group: groups[index % 12] ?? 'group' })),
      ),
    )
    const inOrder = written.sort((a, b) => (a.record.dueAt ?? 0) - (b.record.dueAt ?? 0))
    await assertDue(store, [noon + 299_000, everything], inOrder)
    await assertDue(store, [noon + 200_000, everything], inOrder.slice(0, 201))
    for (const limit of [0, 1, 7, 100, 200, 201, 202])
      await assertDue(store, [noon + 200_000, limit], inOrder.slice(0, Math.min(limit, 201)))
  })

  promise('no record is left out if several are due at the same time', async (store) => {
    const written = await Promise.all(Array.from({ length: 60 }, () => put(store, noon)))
    const names = (await store.due(noon, everything)).map(recordNameText)
    assert.deepEqual(names.sort(), written.map((each) => recordNameText(each.name)).sort())
    assert.equal((await store.due(noon, 10)).length, 10)
  })

  promise('the last write decides when a record is due: later, earlier, never, or again', async (store) => {
    let written = await put(store, noon)
    const other = await put(store, noon + 500)
    written = await change(store, written, noon + 1_000)
    await assertDue(store, [noon + 999, everything], [other])
    await assertDue(store, [noon + 1_000, everything], [other, written])
    written = await change(store, written, noon - 1_000)
    await assertDue(store, [noon - 1_000, everything], [written])
    await assertDue(store, [noon + 1_000, everything], [written, other])
    written = await change(store, written, undefined)
    await assertDue(store, [noon + 3_600_000, everything], [other])
    written = await change(store, written, noon + 2_000)
    await assertDue(store, [noon + 1_999, everything], [other])
    await assertDue(store, [noon + 2_000, everything], [other, written])
  })

  promise('many records that were put off do not hide a due record', async (store) => {
    for (let index = 0; index < 50; index++) await change(store, await put(store, noon + index), noon + 3_600_000)
    for (let index = 0; index < 50; index++) await change(store, await put(store, noon + index), undefined)
    const later = [await change(store, await put(store, noon), noon + 102)]
    const due = [await put(store, noon + 100), await put(store, noon + 101)]
    for (const limit of [1, 2, 3, 4]) await assertDue(store, [noon + 200, limit], [...due, ...later].slice(0, limit))
  })

  promise('a refused write does not change what is due', async (store) => {
    const written = await put(store, noon)
    const unlisted = await put(store, undefined)
    for (const dueAt of [noon - 1_000, noon + 1_000, undefined])
      for (const expected of [undefined, 'another']) {
        assert.equal(await store.write(written.name, someDueRecord(dueAt), expected), false)
        assert.equal(await store.write(unlisted.name, someDueRecord(dueAt), expected), false)
        await assertDue(store, [noon - 1, everything], [])
        await assertDue(store, [noon + 3_600_000, everything], [written])
      }
    assert.equal(await store.write(someRecordName(), someDueRecord(noon), 'another'), false)
    await assertDue(store, [noon + 3_600_000, everything], [written])
  })

  if (isAtomic)
    promise('if several writers race, the winner decides when the record is due', async (store, openAnother) => {
      const stores = [store, openAnother()]
      let written = await put(store, noon)
      for (let round = 0; round < 5; round++) {
        const records = Array.from({ length: 20 }, (_, index) => someDueRecord(noon + ((index * 7 + round) % 20)))
        const answers = await Promise.all(
          records.map((record, index) =>
            (stores[index % 2] ?? store).write(written.name, record, written.record.version),
          ),
        )
        const [record] = records.filter((_, index) => answers[index])
        assert.ok(record?.dueAt)
        written = { name: written.name, record }
        await assertDue(store, [record.dueAt - 1, everything], [])
        await assertDue(store, [record.dueAt, everything], [written])
      }
    })

  promise('looks during writes leave out no record that is due afterwards', async (store, openAnother) => {
    const [writer, looker] = [openAnother(), openAnother()]
    const names = Array.from({ length: 10 }, () => someRecordName())
    let isOver = false
    const look = async (by: RecordStore, limit: number) => {
      while (!isOver) await by.due(noon, limit)
    }
    const rewrite = async (recordName: RecordName, index: number) => {
      let written = await put(writer, noon, recordName)
      const times = [noon + 1, undefined, noon - index, noon + 1_000, noon, undefined, noon - 1, noon - 2 - index]
      for (let round = 0; round < 5; round++)
        for (const dueAt of times) written = await change(index % 2 ? writer : store, written, dueAt)
    }
    const looking = [look(looker, everything), look(store, 3)]
    await Promise.all(names.map(rewrite)).finally(() => {
      isOver = true
    })
    await Promise.all(looking)
    assert.deepEqual(await store.due(noon, everything), names.toReversed())
    assert.deepEqual(await store.due(noon - 2 - names.length, everything), [])
  })

  promise('after any writes in any order, the due records are found', async (store) => {
    await fc.assert(
      fc.asyncProperty(arbitraryLife, (life) => liveAsSaid(store, life)),
      { numRuns: 15, endOnFailure: true },
    )
  })

  promise('an instance sees what another instance has written', async (store, openAnother) => {
    const other = openAnother()
    const written = await put(store, noon)
    await assertDue(other, [noon, everything], [written])
    await change(other, written, noon + 1)
    await assertDue(store, [noon, everything], [])
  })
}
