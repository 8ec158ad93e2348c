import assert from 'node:assert/strict'
import { test } from 'node:test'
import { textElements } from '../../../lib/adapters/files/file-elements.ts'
import {
  applyPlan,
  type ElementTexts,
  type ElementWriter,
  elementTexts,
  planElements,
} from '../../../lib/configuration/element-plan.ts'
import { describeFinding, isMistake } from '../../../lib/configuration/finding.ts'
import { validateElements } from '../../../lib/configuration/inspect-elements.ts'
import { exampleIssuer, localDeployment } from '../../support/elements/element-store.ts'
import { exampleElements, type RawElements, withoutUndefined } from '../../support/elements/elements.ts'

/** The connection `conn`, and others whose elements all have that name. */
function connections(names: readonly string[], scope = 'a'): RawElements {
  const { endpointConnection = {}, oAuthConfig = {}, ...others } = withoutUndefined(exampleElements(exampleIssuer))
  const [connection, config] = [Object.values(endpointConnection)[0], Object.values(oAuthConfig)[0]]
  const added = (value: Record<string, unknown>) => Object.fromEntries(names.map((name) => [name, value]))
  const connectionsByName = names.map((name) => [name, { ...connection, authenticationConfigRef: name }])
  return {
    ...others,
    endpointConnection: { ...endpointConnection, ...Object.fromEntries(connectionsByName) },
    oAuthConfig: { ...oAuthConfig, ...added({ ...config, scope }) },
  }
}

const before = elementTexts(connections(['first', 'second']))
const after = elementTexts(connections(['second', 'third'], 'b'))

test('the plan says what is created, changed, deleted and left as it is', () => {
  const { created, changed, deleted, unchanged } = planElements(after, before, before.keys())
  assert.deepEqual(created.toSorted(), ['endpointConnection/third', 'oAuthConfig/third'])
  assert.deepEqual(changed, ['oAuthConfig/second'])
  assert.deepEqual(deleted.toSorted(), ['endpointConnection/first', 'oAuthConfig/first'])
  assert.equal(unchanged, after.size - 3)
})

test('elements of nobody are left alone: only what an earlier version had is deleted', () => {
  const byHand = new Map([...before, ['endpointConnection/byHand', '{}']])
  assert.deepEqual(planElements(after, byHand, before.keys()).deleted.length, 2)
  assert.deepEqual(planElements(after, byHand).deleted, [])
})

test('the same elements need nothing', () => {
  const { puts, removals, unchanged } = planElements(before, before, before.keys())
  assert.deepEqual([puts, removals, unchanged], [[], [], before.size])
})

test('wherever the work is interrupted, no connection has a mistake, and the next run does only the rest', async () => {
  for (const [from, to] of [
    [new Map(), before],
    [before, after],
    [after, before],
    [before, new Map()],
  ] as const) {
    const steps = writesOf(from, to)
    assert.ok(steps >= 5)
    for (let interruptedAt = 0; interruptedAt < steps; interruptedAt++) {
      const store = memoryWriter(from, interruptedAt)
      await assert.rejects(run(store, from, to), /interrupted/)
      assert.deepEqual(await mistakesIn(store.texts), [], `interrupted at ${interruptedAt}`)
      const rest = memoryWriter(store.texts)
      assert.equal(await run(rest, from, to), true)
      assert.deepEqual(sorted(rest.texts), sorted(to))
      assert.equal(rest.writes(), steps - interruptedAt, 'no element is written twice')
    }
  }
})

test('if the time is over, it ends between two steps and says that something is left', async () => {
  const many = elementTexts(connections(Array.from({ length: 100 }, (_, index) => `conn${index}`)))
  const store = memoryWriter(new Map())
  let looks = 0
  const plan = planElements(many, new Map())
  assert.equal(await applyPlan(plan, store, () => ++looks < 3), false)
  assert.ok(store.writes() > 0 && store.writes() < many.size)
  assert.deepEqual(await mistakesIn(store.texts), [])
})

test('at most three puts are sent at a time', async () => {
  let [running, most] = [0, 0]
  const writer: ElementWriter = {
    ...memoryWriter(new Map()),
    async put() {
      most = Math.max(most, ++running)
      await Promise.resolve()
      running--
    },
  }
  await applyPlan(planElements(before, new Map()), writer, () => true)
  assert.equal(most, 3)
})

async function run(store: ElementWriter, from: ElementTexts, to: ElementTexts): Promise<boolean> {
  return await applyPlan(planElements(to, await store.readAll(), from.keys()), store, () => true)
}

function writesOf(from: ElementTexts, to: ElementTexts): number {
  const { created, changed, deleted } = planElements(to, from, from.keys())
  return created.length + changed.length + deleted.length
}

/** A store that fails for ever after so many writes. */
function memoryWriter(first: ElementTexts, interruptedAt = Infinity) {
  const texts = new Map(first)
  let writes = 0
  const count = () => {
    if (writes >= interruptedAt) throw new Error('interrupted')
    writes++
  }
  return {
    texts: texts as ElementTexts,
    writes: () => writes,
    readAll: async () => new Map(texts),
    async put(name: string, text: string) {
      count()
      texts.set(name, text)
    },
    async remove(names: readonly string[]) {
      for (const name of names) {
        count()
        texts.delete(name)
      }
    },
  }
}

async function mistakesIn(texts: ElementTexts): Promise<string[]> {
  if (texts.size === 0) return []
  const kinds: RawElements = {}
  for (const [name, text] of texts) {
    const [kind = '', id = ''] = name.split('/')
    kinds[kind] = { ...kinds[kind], [id]: JSON.parse(text) }
  }
  const findings = await validateElements(textElements(JSON.stringify(kinds)), localDeployment)
  return findings.filter(isMistake).map(describeFinding)
}

function sorted(texts: ElementTexts): (readonly [string, string])[] {
  return [...texts].sort(([a], [b]) => (a < b ? -1 : 1))
}
