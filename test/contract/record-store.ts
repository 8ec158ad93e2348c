import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import type { RecordFields, RecordName, RecordStore, StoredRecord } from '../../lib/fleet/record-store.ts'
import { RecordStoreError } from '../../lib/fleet/record-store.ts'

let made = 0

export function someRecordName(members: Partial<RecordName> = {}): RecordName {
  return { group: `group-${made++}`, id: `token#${randomBytes(32).toString('base64url')}`, ...members }
}

export function someRecord(fields: RecordFields = { text: 'the text' }): StoredRecord {
  return { version: randomBytes(16).toString('base64url'), removableFrom: Date.now() + 3_600_000, fields }
}

/** Opens several stores over the same records, as instances of a function have them. Undefined ends the test. */
export type OpenStores = (t: TestContext) => Promise<(() => RecordStore) | undefined>

/** Defines tests that each open new stores. */
export function promiseOver(name: string, open: OpenStores) {
  return (title: string, run: (store: RecordStore, openAnother: () => RecordStore) => Promise<void>): void => {
    test(`${name}: ${title}`, async (t) => {
      const openStore = await open(t)
      if (openStore) await run(openStore(), openStore)
    })
  }
}

/** What a test can check with this server. */
export interface Emulation {
  /** Whether a conditional write is atomic there. If not, a race between writers proves nothing. */
  readonly isAtomic: boolean
}

/** The promises of every record store, whatever it keeps its records in. */
export function testRecordStoreContract(
  name: string,
  open: OpenStores,
  { isAtomic }: Emulation = { isAtomic: true },
): void {
  const promise = promiseOver(name, open)

  promise('a record is read back exactly as it was written', async (store) => {
    const contents: Record<string, RecordFields> = {
      nothing: {},
      texts: { empty: '', lines: '\n"a"\r\n\tb\\\n', unicode: 'Grüße, 東京 𝒯 👩‍👩‍👧 \u0000 \u2028', number: '42' },
      numbers: { zero: 0, negative: -1, fraction: 0.1, third: 1 / 3, time: 1_764_000_000_123, large: 2 ** 53 - 1 },
      large: { text: 'é€👍'.repeat(11_000) },
    }
    for (const fields of Object.values(contents)) {
      const [recordName, record] = [someRecordName(), someRecord(fields)]
      assert.equal(await store.write(recordName, record, undefined), true)
      assert.deepEqual(await store.read([recordName]), [record])
    }
  })

  promise('the time from which a record may be removed is read back exactly, with fractions', async (store) => {
    for (const removableFrom of [Date.now() + 3_600_000.5, 4_102_444_800_001]) {
      const [recordName, record] = [someRecordName(), { ...someRecord(), removableFrom }]
      await store.write(recordName, record, undefined)
      assert.deepEqual(await store.read([recordName]), [record])
    }
  })

  promise(
    'a record that may be removed at once still counts as existing, so no writer can create it again',
    async (store) => {
      const [recordName, record] = [someRecordName(), { ...someRecord(), removableFrom: 1_000_000_000_000 }]
      assert.equal(await store.write(recordName, record, undefined), true)
      assert.equal(await store.write(recordName, someRecord(), undefined), false)
      assert.deepEqual(await store.read([recordName]), [record])
    },
  )

  promise(
    'records come in the order of the names, undefined for a missing one, and twice for a repeated name',
    async (store) => {
      const names = Array.from({ length: 5 }, () => someRecordName({ group: 'one-group' }))
      const [a, b, c, absent, other] = names as [RecordName, RecordName, RecordName, RecordName, RecordName]
      const elsewhere = someRecordName()
      const records = new Map([a, b, c, other, elsewhere].map((each, index) => [each, someRecord({ index })]))
      for (const [each, record] of records) await store.write(each, record, undefined)

      for (const order of [
        [c, absent, a, b],
        [b, elsewhere, a, other],
        [a, a],
        [absent, absent],
        [b, a, b, absent, b],
        [],
      ])
        assert.deepEqual(
          await store.read(order),
          order.map((each) => records.get(each)),
        )
    },
  )

  promise('names that differ in any character name different records', async (store) => {
    const ids = ['a', 'A', 'a#b', 'a-b', 'a_b', 'ab', '#a', 'generation', 'token#a']
    const groups = ['g', 'G', 'g.h', 'g-h', 'g_h', 'gh', 'x'.repeat(128)]
    const names = groups.flatMap((group) => ids.map((id) => ({ group, id })))
    for (const [index, each] of names.entries())
      assert.equal(await store.write(each, someRecord({ index }), undefined), true, JSON.stringify(each))
    for (const group of groups) {
      const sameGroup = names.filter((each) => each.group === group)
      const records = await store.read(sameGroup)
      assert.deepEqual(
        records.map((record) => record?.fields['index']),
        sameGroup.map((each) => names.indexOf(each)),
      )
    }
  })

  promise('the same id in two groups is two records', async (store) => {
    const [one, two] = [someRecordName({ id: 'generation' }), someRecordName({ id: 'generation' })]
    const [first, second] = [someRecord(), someRecord()]
    assert.equal(await store.write(one, first, undefined), true)
    assert.deepEqual(await store.read([two, one]), [undefined, first])
    assert.equal(await store.write(two, second, undefined), true)
    assert.deepEqual(await store.read([two, one]), [second, first])
  })

  promise('a write replaces only the version that was read', async (store) => {
    const recordName = someRecordName()
    const [first, second, third] = [someRecord(), someRecord(), someRecord()]
    assert.equal(await store.write(recordName, first, second.version), false, 'there is no record')
    assert.deepEqual(await store.read([recordName]), [undefined])

    assert.equal(await store.write(recordName, first, undefined), true)
    assert.equal(await store.write(recordName, second, undefined), false, 'there is a record')
    assert.equal(await store.write(recordName, second, third.version), false, 'the record has another version')
    assert.equal(await store.write(recordName, second, first.version.slice(0, -1)), false, 'a part of the version')
    assert.deepEqual(await store.read([recordName]), [first])

    assert.equal(await store.write(recordName, second, first.version), true)
    assert.equal(await store.write(recordName, third, first.version), false, 'an older version')
    assert.deepEqual(await store.read([recordName]), [second])
  })

  promise('a version is compared as plain text and may have any length', async (store) => {
    const recordName = someRecordName()
    let expected: string | undefined
    for (const version of ['-', '_-_', 'a', 'a'.repeat(100), '0-9'.repeat(7)]) {
      const record = { ...someRecord(), version }
      assert.equal(await store.write(recordName, record, expected), true, version)
      assert.deepEqual(await store.read([recordName]), [record])
      expected = version
    }
  })

  promise('a record is replaced as a whole: fields that the new one lacks are gone', async (store) => {
    const recordName = someRecordName()
    const [first, second] = [someRecord({ a: 'a', b: 1 }), someRecord({ b: 'b' })]
    await store.write(recordName, first, undefined)
    await store.write(recordName, second, first.version)
    assert.deepEqual(await store.read([recordName]), [second])
  })

  promise(
    'the store reports a record that it does not take, keeps the old one, and takes every other record',
    async (store) => {
      const [recordName, first, huge] = [someRecordName(), someRecord(), someRecord({ text: 'x'.repeat(1_000_000) })]
      await store.write(recordName, first, undefined)
      const outcome = await store.write(recordName, huge, first.version).catch((error: unknown) => error)
      if (outcome !== true) {
        assert.ok(outcome instanceof RecordStoreError, String(outcome))
        assert.deepEqual([outcome.isNotTaken, outcome.isThrottled], [true, false], outcome.message)
        assert.match(outcome.message, new RegExp(`record of ${recordName.group}`))
      }
      assert.deepEqual(await store.read([recordName]), [outcome === true ? huge : first])
      const last = someRecord()
      assert.equal(await store.write(recordName, last, outcome === true ? huge.version : first.version), true)
      assert.equal(await store.write(someRecordName(), someRecord(), undefined), true)
    },
  )

  if (isAtomic)
    promise(
      'of twenty writers that replace the same version at the same time, one succeeds',
      async (store, openAnother) => {
        const stores = [store, openAnother()]
        const recordName = someRecordName()
        let expected: string | undefined
        for (let round = 0; round < 3; round++) {
          const records = Array.from({ length: 20 }, (_, index) => someRecord({ index }))
          const answers = await Promise.all(
            records.map((record, index) => (stores[index % 2] ?? store).write(recordName, record, expected)),
          )
          const winners = records.filter((_, index) => answers[index])
          assert.equal(winners.length, 1)
          assert.deepEqual(await store.read([recordName]), winners)
          expected = winners[0]?.version
        }
      },
    )

  promise('an instance reads at once what another instance has written', async (store, openAnother) => {
    const other = openAnother()
    const recordName = someRecordName()
    let expected: string | undefined
    for (let round = 0; round < 5; round++) {
      const record = someRecord({ round })
      assert.equal(await (round % 2 ? store : other).write(recordName, record, expected), true)
      assert.deepEqual(await (round % 2 ? other : store).read([recordName, someRecordName()]), [record, undefined])
      expected = record.version
    }
  })
}
