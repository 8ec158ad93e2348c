import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JwtConfiguration } from '../../../lib/configuration/assertion-configuration.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { signAssertion } from '../../../lib/signing/assertion.ts'
import type { Signer } from '../../../lib/signing/signer.ts'
import { adviceOn, compareClocks, createClockOffsets } from '../../../lib/token-endpoint/clock-offset.ts'
import { plainAssertion } from '../../support/elements/plain-connection.ts'

const validity = { from: 1_000_000, until: 1_120_000 }
const now = 1_000_300

const offsetOf = (date: number | undefined, words?: string) => {
  const reading = compareClocks(validity, date, now, words ?? '')
  return reading?.kind === 'off' ? reading.offsetMilliseconds : reading
}

test("the clocks are the reason where by the server's clock the assertion is not valid yet or has expired", () => {
  assert.equal(offsetOf(999_000), -800, 'still too early at the end of that second')
  assert.equal(offsetOf(999_001), undefined)
  assert.equal(offsetOf(1_119_999), undefined)
  assert.equal(offsetOf(1_120_000), 120_200)
  assert.equal(offsetOf(undefined), undefined)
})

test('where the server names the time, a difference of 2 s is enough to be the reason', () => {
  assert.equal(offsetOf(now + 1_500, 'JWT is not yet valid'), 2_000)
  assert.equal(offsetOf(now + 1_499, 'JWT is not yet valid'), undefined)
  assert.equal(offsetOf(now - 2_500, 'iat is in the future'), -2_000)
  assert.equal(offsetOf(now + 60_000, 'the key is unknown'), undefined)
})

test('the words of servers about time are recognized, and other words are not', () => {
  const ofTime = [
    'Token is not active',
    'Client assertion expiration is too far',
    'AADSTS700024: Client assertion is not within its valid time range',
    'clock skew',
    'When does it expire?',
  ]
  for (const words of ofTime)
    assert.deepEqual(compareClocks(validity, undefined, now, words), { kind: 'unknown' }, words)
  for (const words of ['expected audience', 'Client not found', 'sometimes', 'wrong signature', ''])
    assert.equal(compareClocks(validity, undefined, now, words), undefined, words)
})

test("without a Date the words say whether the server's clock is ahead or behind, and an offset of a minute is tried", () => {
  const guess = (words: string) => {
    const reading = compareClocks(validity, undefined, now, words)
    return reading?.kind === 'guessed' ? reading.offsetMilliseconds : reading?.kind
  }
  for (const words of ['Token was issued in the future', 'JWT is not yet valid', 'iat too early'])
    assert.equal(guess(words), -60_000, words)
  for (const words of [
    'JWT has expired',
    'exp claim is in the past',
    'Token was issued too far in the past',
    'iat too old',
  ])
    assert.equal(guess(words), 60_000, words)
  for (const words of [
    'Token is not active',
    'Token expiration is too far in the future and iat claim not present',
    'exp is too far in the future',
  ])
    assert.equal(guess(words), 'unknown', words)
})

test('an offset of more than 5 minutes is reported, but not adjusted to', () => {
  const far = compareClocks(validity, now + 300_000, now, '')
  assert.deepEqual(far, { kind: 'too_far', offsetMilliseconds: 300_500 })
  assert.deepEqual(compareClocks(validity, now + 299_500, now, ''), { kind: 'off', offsetMilliseconds: 300_000 })
  assert.equal(
    far && adviceOn(far),
    "The server's clock is 301 s ahead of Tokenwell's. Tokenwell adjusts to at most 300 s: correct the clock that is wrong.",
  )
  const behind = compareClocks(validity, now - 900_500, now, '')
  assert.match((behind && adviceOn(behind)) ?? '', /^The server's clock is 900 s behind Tokenwell's\./)
})

test('without a Date the operator must compare the clocks, and an offset that Tokenwell adjusts to needs no advice', () => {
  assert.match(adviceOn({ kind: 'unknown' }) ?? '', /sends no Date header\. Compare its clock/)
  assert.equal(adviceOn({ kind: 'off', offsetMilliseconds: 5_000 }), undefined)
})

const theSigner: Signer = {
  sign: async () => new Secret('the.assertion.itself'),
}

test('an assertion is valid from the later of iat and nbf until exp, as it was signed', async () => {
  const validityOf = async (changes: Partial<JwtConfiguration>) =>
    (await signAssertion(plainAssertion(changes), theSigner, { now: 1_000_999, jwtId: 'the-id' })).validity
  assert.deepEqual(await validityOf({}), { from: 1_000_000, until: 1_120_000 })
  assert.deepEqual(await validityOf({ notBeforeOffsetSeconds: 5 }), { from: 1_005_000, until: 1_120_000 })
  assert.deepEqual(await validityOf({ notBeforeOffsetSeconds: -5 }), { from: 1_000_000, until: 1_120_000 })
  assert.deepEqual(await validityOf({ claims: { nbf: 1_010, exp: 1_020 } }), { from: 1_010_000, until: 1_020_000 })
})

test('an offset is learned for one authorization server, the latest one counts, and it begins as 0', () => {
  const offsets = createClockOffsets()
  assert.equal(offsets.of('theServer'), 0)
  for (const offset of [7_000, -3_000]) offsets.learn('theServer', offset)
  assert.deepEqual(['theServer', 'another'].map(offsets.of), [-3_000, 0])
})
