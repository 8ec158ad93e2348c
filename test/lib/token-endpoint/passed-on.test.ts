import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readPassedOn } from '../../../lib/token-endpoint/passed-on.ts'

function read(members: object | string, names: readonly string[]) {
  return readPassedOn(typeof members === 'string' ? members : JSON.stringify(members), names)
}

test('texts, numbers and booleans are passed on as they came, and nothing that is not named', () => {
  const members = { instance_url: 'https://a.example', count: 0, share: -1.5, sandbox: false, empty: '', other: 'x' }
  const names = ['instance_url', 'count', 'share', 'sandbox', 'empty']
  const { passedOn, leftOut } = read(members, names)
  const { other: _other, ...expected } = members
  assert.deepEqual({ ...passedOn }, expected)
  assert.deepEqual(leftOut, [])
})

test('the members of a form are texts', () => {
  assert.deepEqual(read('access_token=x&instance_url=https%3A%2F%2Fa.example&n=7', ['instance_url', 'n']).passedOn, {
    instance_url: 'https://a.example',
    n: '7',
  })
})

/** What the member is, its value as JSON, and why it is left out. */
const leftOut: readonly (readonly [what: string, value: string, reason: RegExp])[] = [
  ['is null', 'null', /^the answer has no value for it\.$/],
  ['is an object', '{"b":"c"}', /^its value is an object or a list\.$/],
  ['is a list', '["b"]', /^its value is an object or a list\.$/],
  ['has been rounded', '12345678901234567890', /^its value is a number with too many digits to be exact\.$/],
  ['is no finite number', '1e999', /^its value is a number with too many digits to be exact\.$/],
  ['is too large', `"${'x'.repeat(2_041)}"`, /^with it, the members would take more than 2048 bytes as JSON\.$/],
  ['is too large in UTF-8', `"${'ä'.repeat(1_030)}"`, /more than 2048 bytes/],
]
for (const [what, value, reason] of leftOut)
  test(`a member that ${what} is left out by its name, and the others are passed on`, () => {
    const { passedOn, leftOut } = read(`{"access_token":"x","a":${value},"b":"kept"}`, ['a', 'b'])
    assert.deepEqual({ ...passedOn }, { b: 'kept' })
    assert.equal(leftOut[0]?.member, 'a')
    assert.match(leftOut[0].reason, reason)
  })

test('a member that the answer does not have is left out, also one that every object has by nature', () => {
  for (const member of ['a', 'constructor', 'toString']) {
    const { passedOn, leftOut } = read({ access_token: 'x', b: 'kept' }, [member, 'b'])
    assert.deepEqual({ ...passedOn }, { b: 'kept' })
    assert.deepEqual(leftOut, [{ member, reason: 'the answer has no value for it.' }])
  }
})

test('the members together take 2 KiB at most, and the first ones of the list find room', () => {
  const members = { large: 'x'.repeat(1_500), larger: 'y'.repeat(1_900), small: 'z' }
  const { passedOn, leftOut } = read(members, ['large', 'larger', 'small'])
  assert.deepEqual(Object.keys(passedOn), ['large', 'small'])
  assert.deepEqual(
    leftOut.map(({ member }) => member),
    ['larger'],
  )
  assert.deepEqual(Object.keys(read({ a: 'x'.repeat(2_040) }, ['a']).passedOn), ['a'], '2,048 bytes with their names')
})

test('no reason holds a value', () => {
  const { leftOut } = read({ a: { secret: 'value-of-a' }, b: 'value-of-b'.repeat(500) }, ['a', 'b', 'c'])
  assert.equal(leftOut.length, 3)
  assert.doesNotMatch(JSON.stringify(leftOut), /value-of/)
})
