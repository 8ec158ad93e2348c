import assert from 'node:assert/strict'
import { test } from 'node:test'
import { droppedAttributes } from '../../../lib/configuration/dropped-attributes.ts'
import { findingsOf } from '../../support/elements/element-store.ts'

for (const [kind, sentences] of Object.entries(droppedAttributes))
  test(`an attribute that ${kind} of Tokenwell does not have gets its own finding, without a guess`, async (t) => {
    const lines = await findingsOfKind(t, kind, Object.keys(sentences))
    for (const [attribute, sentence] of Object.entries(sentences)) {
      const ofAttribute = lines.filter((line) => line.startsWith(`${kind}/theElement ${attribute}: `))
      assert.deepEqual(ofAttribute, [`${kind}/theElement ${attribute}: ${sentence}`])
    }
  })

/** The findings on one element of that kind that has all these attributes. */
function findingsOfKind(t: Parameters<typeof findingsOf>[0], kind: string, attributes: readonly string[]) {
  return findingsOf(t, { [kind]: { theElement: Object.fromEntries(attributes.map((name) => [name, 'x'])) } })
}
