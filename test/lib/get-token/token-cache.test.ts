import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import { tokenRecordName } from '../../../lib/fleet/record-store.ts'
import { UnreadableTokenError } from '../../../lib/fleet/sealing.ts'
import { readSharedToken, writeSharedToken } from '../../../lib/get-token/shared-token.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { someSealing, testTokenCacheContract } from '../../contract/shared-token-cache.ts'
import { someToken } from '../../support/virtual/some-token.ts'

testTokenCacheContract('memory', async () => ({
  store: memoryRecords({ maximumRecords: 1_000 }),
  sealing: someSealing(),
}))

test("a sealed text must be a token of its connection with all its values, or it can't be read", () => {
  const name = tokenRecordName('conn', 'a-digest')
  const token = { ...someToken(), generation: 7, asked: { further: {} } }
  const sealed = writeSharedToken(token)
  assert.deepEqual({ ...readSharedToken(sealed, name), accessToken: '' }, { ...token, accessToken: '' })
  const { asked: _asked, ...ofUser } = JSON.parse(sealed.reveal())
  assert.equal('asked' in readSharedToken(new Secret(JSON.stringify(ofUser)), name), false)
  const wrong: Record<string, unknown> = { connection: 'other', id: 1, accessToken: null, asked: 'x', generation: '7' }
  for (const time of ['issuedAt', 'refreshAt', 'usableUntil', 'expiresAt']) wrong[time] = 'now'
  const texts = Object.entries(wrong).map(([member, value]) => JSON.stringify({ ...ofUser, [member]: value }))
  for (const text of [...texts, '{}', '[]', 'null', '', 'no JSON'])
    assert.throws(
      () => readSharedToken(new Secret(text), name),
      new UnreadableTokenError(
        'The decrypted text is not a token of this connection, or another version of Tokenwell wrote it. It counts as a miss.',
      ),
      text,
    )
})
