import assert from 'node:assert/strict'
import { test } from 'node:test'
import { measureClockOffset } from '../../../lib/token-endpoint/assertion.ts'

const validity = { from: 1_000_000, until: 1_120_000 }
const now = 1_000_300

test('a clock is to blame where an assertion is not valid yet or no more by it, at its best to the second', () => {
  assert.equal(measureClockOffset(validity, 999_000, now), -800, 'still too early at the end of that second')
  assert.equal(measureClockOffset(validity, 999_001, now), undefined)
  assert.equal(measureClockOffset(validity, 1_119_999, now), undefined)
  assert.equal(measureClockOffset(validity, 1_120_000, now), 120_200)
  assert.equal(measureClockOffset(validity, undefined, now), undefined)
})
