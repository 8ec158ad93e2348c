import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AssertionConfiguration } from '../../../lib/configuration/connection.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import type { Signer } from '../../../lib/signing/signer.ts'
import { createClockOffsets, measureClockOffset, signAssertion } from '../../../lib/token-endpoint/assertion.ts'
import { plainAssertion } from '../../support/elements/plain-connection.ts'

const validity = { from: 1_000_000, until: 1_120_000 }
const now = 1_000_300

test('a clock is to blame where an assertion is not valid yet or no more by it, at its best to the second', () => {
  assert.equal(measureClockOffset(validity, 999_000, now), -800, 'still too early at the end of that second')
  assert.equal(measureClockOffset(validity, 999_001, now), undefined)
  assert.equal(measureClockOffset(validity, 1_119_999, now), undefined)
  assert.equal(measureClockOffset(validity, 1_120_000, now), 120_200)
  assert.equal(measureClockOffset(validity, undefined, now), undefined)
})

const theSigner: Signer = {
  sign: async () => new Secret('the.assertion.itself'),
}

test('an assertion is valid from the later of iat and nbf until exp, as it was signed', async () => {
  const validityOf = async (changes: Partial<AssertionConfiguration>) =>
    (await signAssertion(plainAssertion(changes), theSigner, { now: 1_000_999, jwtId: 'the-id' })).validity
  assert.deepEqual(await validityOf({}), { from: 1_000_000, until: 1_120_000 })
  assert.deepEqual(await validityOf({ notBeforeOffsetSeconds: 5 }), { from: 1_005_000, until: 1_120_000 })
  assert.deepEqual(await validityOf({ notBeforeOffsetSeconds: -5 }), { from: 1_000_000, until: 1_120_000 })
  assert.deepEqual(await validityOf({ claims: { nbf: 1_010, exp: 1_020 } }), { from: 1_010_000, until: 1_020_000 })
})

test('an offset is learned for one authorization server, the latest counts, and until then it is none', () => {
  const offsets = createClockOffsets()
  assert.equal(offsets.of('theServer'), 0)
  for (const offset of [7_000, -3_000]) offsets.learn('theServer', offset)
  assert.deepEqual(['theServer', 'another'].map(offsets.of), [-3_000, 0])
})
