import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomId } from '../../../../lib/adapters/process/clock.ts'

test('each id is 16 bytes in base64url, and no two are the same, however many are drawn at once', () => {
  const ids = Array.from({ length: 1_000 }, randomId)
  for (const id of ids) assert.match(id, /^[A-Za-z0-9_-]{22}$/)
  assert.equal(new Set(ids).size, ids.length)
  // No id is a part of another one, either.
  for (const part of [0, 11]) assert.equal(new Set(ids.map((id) => id.slice(part, part + 11))).size, ids.length)
})
