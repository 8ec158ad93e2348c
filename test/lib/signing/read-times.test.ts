import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { Secret } from '../../../lib/secret/secret.ts'
import { KeyStoreError } from '../../../lib/signing/signing-key.ts'
import { readSigningKeys } from '../../../lib/signing/signing-secret.ts'

const location = 'tokenwell/test/the-key'
const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })

function readSet(...times: readonly object[]) {
  const keys = times.map((each) => ({ ...jwk, ...each }))
  return readSigningKeys(location, new Secret(JSON.stringify({ keys })))
}

test('times are seconds since the epoch in the secret, and milliseconds once read', () => {
  const [one, other, never] = readSet(
    { signsFrom: 1_795_539_999, signsUntil: 1_798_131_999 },
    { signsFrom: 1_798_131_999.5 },
    {},
  )
  assert.deepEqual([one?.signsFrom, one?.signsUntil], [1_795_539_999_000, 1_798_131_999_000])
  assert.equal(other?.signsFrom, 1_798_131_999_500)
  assert.ok(other && !('signsUntil' in other))
  assert.ok(never && !('signsFrom' in never) && !('signsUntil' in never))
})

test('a single JWK may have times too, but times beside a JWK are ignored', () => {
  const [alone] = readSigningKeys(location, new Secret(JSON.stringify({ ...jwk, signsFrom: 0 })))
  assert.equal(alone?.signsFrom, 0)
  const beside = JSON.stringify({ privateKey: { ...jwk, signsFrom: 5 }, signsFrom: 7 })
  assert.equal(readSigningKeys(location, new Secret(beside))[0]?.signsFrom, 5_000)
})

for (const member of ['signsFrom', 'signsUntil'] as const)
  for (const [what, value] of [
    ['a text of digits', '1795539999'],
    ['a date', '2026-11-24T00:00:00Z'],
    ['nothing', null],
    ['a truth', true],
    ['a list', [1_795_539_999]],
    ['negative', -1],
    ['counted in milliseconds', 1_795_539_999_000],
  ] as const)
    test(`a ${member} that is ${what} is an error that names it and shows nothing of the key`, () => {
      assert.throws(
        () => readSet({}, { signsFrom: 1_795_539_999, [member]: value }),
        (error: unknown) => {
          assert.ok(error instanceof KeyStoreError)
          assert.equal(
            error.message,
            `The secret ${location} holds a key whose ${member} is not a time. Write it as seconds since the epoch, such as 1795539999.`,
          )
          return true
        },
      )
    })

test('the last second of the year 9999 is a time, and the next second is not', () => {
  assert.equal(readSet({ signsFrom: 253_402_300_799 })[0]?.signsFrom, 253_402_300_799_000)
  assert.throws(() => readSet({ signsFrom: 253_402_300_800 }), /signsFrom is not a time/)
})

test('a key with signsUntil but without signsFrom is an error', () => {
  assert.throws(() => readSet({ signsUntil: 1_795_539_999 }), /holds a key that has signsUntil but no signsFrom/)
})
