import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deadlineOf } from '../../../lib/http-interface/http-function.ts'

const leaving = (milliseconds: number) => ({ getRemainingTimeInMillis: () => milliseconds })

test('of what Lambda leaves half a second is kept for the answer, and no more is used than anybody waits for', () => {
  assert.equal(deadlineOf(leaving(10_000), 1_000, 25_000), 10_500)
  assert.equal(deadlineOf(leaving(25_400), 1_000, 25_000), 25_900)
  assert.equal(deadlineOf(leaving(29_000), 1_000, 25_000), 26_000)
})
