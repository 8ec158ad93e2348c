import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keyAge } from '../../../lib/signing/signing-key.ts'

const generated = { modulusLength: 2048, rotationSeconds: 14_400, publishAheadSeconds: 3_600 }
const day = 86_400

test('the age of a key is the whole seconds since it began to sign', () => {
  assert.deepEqual(
    [0, 999, 1_000, 90_500].map((after) => keyAge(1_000_000, undefined, 1_000_000 + after)),
    [{ keyAgeSeconds: 0 }, { keyAgeSeconds: 0 }, { keyAgeSeconds: 1 }, { keyAgeSeconds: 90 }],
  )
})

test('a key that Tokenwell makes is overdue after the rotation time, the publication time and one more day', () => {
  const limit = 14_400 + 3_600 + day
  for (const [seconds, isKeyOverdue] of [
    [0, false],
    [14_401, false],
    [limit, false],
    [limit + 1, true],
  ] as const)
    assert.deepEqual(keyAge(0, generated, seconds * 1000), { keyAgeSeconds: seconds, isKeyOverdue })
})
