import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRefusedUsers } from '../../../lib/get-token/cool-down-policy.ts'

test('the third refusal of a user within a minute is one too many', () => {
  let now = 0
  const { noteRefusal: isOftenRefused } = createRefusedUsers(() => now)
  assert.deepEqual([isOftenRefused('alice'), isOftenRefused('alice'), isOftenRefused('bob')], [false, false, false])
  now = 59_999
  assert.equal(isOftenRefused('alice'), true)
  now = 60_000
  assert.equal(isOftenRefused('alice'), false, 'two of the three are a minute old')
  assert.equal(isOftenRefused('alice'), true)
})

test('ten thousand users are remembered', () => {
  const { noteRefusal: isOftenRefused } = createRefusedUsers(() => 0)
  for (let round = 0; round < 2; round++)
    for (let count = 0; count < 10_000; count++) assert.equal(isOftenRefused(`user ${count}`), false)
  assert.equal(isOftenRefused('user 0'), true)
  isOftenRefused('one more')
  assert.equal(isOftenRefused('user 1'), false, 'the least recently refused is forgotten')
})
