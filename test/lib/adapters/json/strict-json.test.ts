import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readStrictJson } from '../../../../lib/adapters/json/strict-json.ts'

test('every JSON value is read as it is', () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom(undefined, 2), (json, indent) => {
      const value: unknown = JSON.parse(json)
      assert.deepEqual(readStrictJson(JSON.stringify(value, undefined, indent)), { value })
    }),
  )
})

test('reading never throws, and gives the value of JSON.parse unless a name occurs twice', () => {
  const unit = fc.constantFrom(...'{}[]":,\\/*0123e+-.u abtrulsen\n\r\t\u00a0\ufeff\u2028')
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit, maxLength: 12 })), (text) => {
      const read = readStrictJson(text)
      if ('value' in read) assert.deepEqual(read.value, JSON.parse(text))
      else if (!read.complaint.includes('occurs twice')) assert.throws(() => JSON.parse(text) as unknown)
    }),
    { numRuns: 5_000 },
  )
})

test('a name may occur once in each object, but not twice in one object at any depth', () => {
  assert('value' in readStrictJson('{ "a": { "a": [{ "a": 1 }, { "a": 2 }] } }'))
  assert.deepEqual(readStrictJson('[\n  { "a": [{ "b": 1,\n    "b": 2 }] }\n]'), {
    complaint: 'the name "b" occurs twice, the second time at line 3, column 5',
  })
})

test('reading invalid JSON takes time proportional to its length, wherever its quotation marks are', () => {
  const startedAt = performance.now()
  for (const text of [
    '\\"'.repeat(100_000),
    `"${'\\"'.repeat(100_000)}`,
    `"${'\\'.repeat(200_001)}`,
    '"\\\n'.repeat(100_000),
  ])
    assert('complaint' in readStrictJson(text))
  assert.ok(performance.now() - startedAt < 2_000)
})
