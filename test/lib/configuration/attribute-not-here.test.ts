import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  droppedAttributes,
  droppedKinds,
  laterAttributes,
  laterKinds,
} from '../../../lib/configuration/attribute-not-here.ts'
import { allFindings } from '../../support/element-store.ts'

for (const [kind, attributes] of Object.entries(laterAttributes))
  test(`what ${kind} can not do yet is refused, not ignored`, async (t) => {
    const lines = await findingsOf(t, kind, attributes)
    for (const attribute of attributes)
      assert(lines.includes(`${kind}/theElement ${attribute}: not available yet; take it out until then.`), attribute)
  })

for (const [kind, sentences] of Object.entries(droppedAttributes))
  test(`what has no place in ${kind} gets its own sentence, and no guess at what was meant`, async (t) => {
    const lines = await findingsOf(t, kind, Object.keys(sentences))
    for (const [attribute, sentence] of Object.entries(sentences)) {
      const ofAttribute = lines.filter((line) => line.startsWith(`${kind}/theElement ${attribute}: `))
      assert.deepEqual(ofAttribute, [`${kind}/theElement ${attribute}: ${sentence}`])
    }
  })

test('an attribute is to come or has no place, never both', () => {
  for (const [kind, attributes] of Object.entries(laterAttributes))
    for (const attribute of attributes) assert.equal(droppedAttributes[kind]?.[attribute], undefined, attribute)
})

test('kinds that are to come or have no place are told, with the prefix of the original or without', async (t) => {
  for (const prefix of ['', 'zosconnect_']) {
    for (const kind of laterKinds)
      assert.deepEqual(await allFindings(t, { [prefix + kind]: { theElement: {} } }), [
        `${kind}: not available yet; take it out until then.`,
      ])
    for (const [kind, sentence] of Object.entries(droppedKinds))
      assert.deepEqual(await allFindings(t, { [prefix + kind]: { theElement: {} } }), [`${prefix}${kind}: ${sentence}`])
  }
})

/** What is said of one element of that kind that has all these attributes. */
function findingsOf(t: Parameters<typeof allFindings>[0], kind: string, attributes: readonly string[]) {
  return allFindings(t, { [kind]: { theElement: Object.fromEntries(attributes.map((name) => [name, 'x'])) } })
}
