import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { isTokenId } from '../../../lib/access-token/token.ts'

test('a token id is 16 bytes in base64url, with the digest of its record or without, and nothing more', () => {
  assert.ok(isTokenId(randomBytes(16).toString('base64url')))
  for (const bytes of [0, 15, 17, 32]) assert.equal(isTokenId(randomBytes(bytes).toString('base64url')), false)
  assert.ok(isTokenId(`${randomBytes(16).toString('base64url')}.${randomBytes(32).toString('base64url')}`))
  const id = 'AAAAAAAAAAAAAAAAAAAAAA'
  for (const text of [
    ` ${id}`,
    `${id} `,
    `${id}\n`,
    `x${id}`,
    '+'.repeat(22),
    `${id}.`,
    `${id}.${id}`,
    `${id}.${'A'.repeat(43)}.`,
  ])
    assert.equal(isTokenId(text), false, text)
})
