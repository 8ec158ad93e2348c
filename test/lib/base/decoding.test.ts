import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  decodeUtf8,
  findDuplicateName,
  isDeeplyNested,
  isJsonObject,
  maximumJsonDepth,
  parseJson,
} from '../../../lib/base/decoding.ts'

test('every text is decoded from its bytes, and bytes that are not UTF-8 give undefined', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      assert.equal(decodeUtf8(Buffer.from(text), { ignoreBOM: true }), text)
    }),
  )
  for (const bytes of [[0xff], [0xc3], [0x61, 0x80], [0xed, 0xa0, 0x80]])
    assert.equal(decodeUtf8(new Uint8Array(bytes)), undefined)
})

test('a byte order mark at the start is dropped, or kept by ignoreBOM', () => {
  const bytes = Buffer.from('\ufefftext')
  assert.equal(decodeUtf8(bytes), 'text')
  assert.equal(decodeUtf8(bytes, { ignoreBOM: true }), '\ufefftext')
})

test('text that is not JSON gives undefined, never an error that quotes it', () => {
  fc.assert(fc.property(fc.string(), (text) => void parseJson(text)))
  assert.equal(parseJson('the secret'), undefined)
  assert.equal(parseJson(''), undefined)
  assert.equal(parseJson('null'), null)
  assert.deepEqual(parseJson('{ "a": [1] }'), { a: [1] })
})

test('null, a list and a text are not JSON objects', () => {
  assert.deepEqual([{}, { a: 1 }, null, [], 'text', 1, undefined].map(isJsonObject), [
    true,
    true,
    false,
    false,
    false,
    false,
    false,
  ])
})

test('only brackets outside strings count as depth', () => {
  const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`
  assert.equal(isDeeplyNested(nested(maximumJsonDepth)), false)
  assert.equal(isDeeplyNested(nested(maximumJsonDepth + 1)), true)
  assert.equal(isDeeplyNested('{"a":'.repeat(maximumJsonDepth + 1)), true)
  assert.equal(isDeeplyNested(JSON.stringify(`\\"${'['.repeat(1_000)}`)), false)
})

test('no duplicate name is found in text that JSON.stringify writes', () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom(undefined, 2), (json, indent) => {
      assert.equal(findDuplicateName(JSON.stringify(JSON.parse(json), undefined, indent)), undefined)
    }),
  )
})

test('a duplicate name is found with its position, even if it is escaped differently', () => {
  for (const [text, expected] of [
    ['{"a":1,"a":2}', { name: 'a', offset: 7 }],
    ['{"a":1,"b":{"a":1},"c":[{"a":1},{"a":2}]}', undefined],
    ['{"a":1, "\\u0061" : 2}', { name: 'a', offset: 8 }],
    ['[{"a":{"b":1,"b":2}},{"a":1,"a":2}]', { name: 'b', offset: 13 }],
    ['{"a":"a","b":"\\"a\\":","a":[]}', { name: 'a', offset: 22 }],
    ['{"a":["a","a"],"b":"a:"}', undefined],
    ['{"__proto__":1,"__proto__":2}', { name: '__proto__', offset: 15 }],
    ['{"a":{"b":1},"a":{"b":1}}', { name: 'a', offset: 13 }],
    ['{"":1,"":2}', { name: '', offset: 6 }],
    ['"a"', undefined],
  ] as const)
    assert.deepEqual(findDuplicateName(text), expected, text)
})
