import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readRetryAfter } from '../../../lib/token-endpoint/answer-without-token.ts'
import { readHttpDate } from '../../../lib/token-endpoint/token-answer.ts'

const now = Date.UTC(2026, 9, 21, 7, 28, 0)

test('Retry-After is a number of seconds or a date, rounded up', () => {
  assert.equal(readRetryAfter('17', now), 17)
  assert.equal(readRetryAfter('Wed, 21 Oct 2026 07:28:17 GMT', now), 17)
  assert.equal(readRetryAfter('Wed, 21 Oct 2026 07:28:17 GMT', now + 1), 17)
  assert.equal(readRetryAfter('Wed, 21 Oct 2026 07:28:17 GMT', now - 1), 18)
  for (const odd of [undefined, '', ' 17', '1.5', '-1', '1e3', '1234567890', 'soon', 'tomorrow'])
    assert.equal(readRetryAfter(odd, now), undefined, odd)
})

test('a Retry-After in the past is ignored, so that a failing server still gets a pause', () => {
  for (const over of ['0', '000', 'Wed, 21 Oct 2026 07:28:00 GMT', 'Wed, 21 Oct 2026 07:27:00 GMT'])
    assert.equal(readRetryAfter(over, now), undefined, over)
})

test('a date must have the form that RFC 9110 requires, and other forms that JavaScript accepts are ignored', () => {
  assert.equal(readHttpDate('Wed, 21 Oct 2026 07:28:00 GMT'), now)
  for (const odd of [
    undefined,
    '',
    '2026-10-21T07:28:00Z',
    'Wed, 21 Oct 2026 07:28:00',
    '2026',
    'Wed, 99 Oct 2026 07:28:00 GMT',
  ])
    assert.equal(readHttpDate(odd), undefined, odd)
})
