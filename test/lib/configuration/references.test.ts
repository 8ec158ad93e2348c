import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Kind, kinds, referenceAttributes } from '../../../lib/configuration/element.ts'
import { elementSchemas } from '../../../lib/configuration/element-schema.ts'

const refersTo = new Map<string, readonly string[]>(
  kinds.map((kind) => [kind, Object.values<Kind | readonly Kind[]>(referenceAttributes[kind]).flat()]),
)

test('elements refer only downwards, so a circle is impossible', () => {
  // Repeatedly removes the kinds that refer only to removed kinds. A circle would remain.
  const ended = new Set<string>()
  for (let before = -1; before < ended.size; ) {
    before = ended.size
    for (const [kind, others] of refersTo) if (others.every((other) => ended.has(other))) ended.add(kind)
  }
  assert.deepEqual(
    kinds.filter((kind) => !ended.has(kind)),
    [],
  )
})

test('every attribute that names another element is followed', () => {
  for (const kind of kinds)
    assert.deepEqual(
      Object.keys(referenceAttributes[kind]).sort(),
      Object.keys(elementSchemas[kind].entries)
        .filter((attribute) => attribute.endsWith('Ref'))
        .sort(),
    )
})
