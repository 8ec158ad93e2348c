import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { createKeyChoice } from '../../../lib/signing/signer-cache.ts'
import type { Times } from '../../../lib/signing/signing-key.ts'
import { KeyStoreError } from '../../../lib/signing/signing-key.ts'

const jwtBuilder = 'theBuilder'
const location = 'tokenwell/test/the-key'
const at = Date.parse('2026-11-24T00:00:00Z')
const day = 86_400_000
const { privateKey } = generateKeyPairSync('ed25519')

const previous = { keyId: 'previous', signsFrom: at - 30 * day, signsUntil: at }
const current = { keyId: 'current', signsFrom: at, signsUntil: at + 30 * day }
const next = { keyId: 'next', signsFrom: at + 30 * day }

function choose(
  keys: readonly ({ readonly keyId: string } & Times)[],
  alias?: string,
  revoked: ReadonlySet<string> = new Set(),
) {
  const signingKeys = keys.map((key) => ({ ...key, privateKey, certificates: [] }))
  const choice = createKeyChoice({ jwtBuilder, location, ...(alias !== undefined && { alias }) }, signingKeys)
  return {
    isTimed: choice.isTimed,
    current: (now: number) => choice.current(now, revoked).keyId,
    previous: (now: number) => choice.previous(now, revoked)?.keyId,
  }
}

function complaint(choosing: () => unknown): string {
  try {
    choosing()
  } catch (error) {
    assert.ok(error instanceof KeyStoreError)
    return error.message.replace(`The secret ${location} `, '')
  }
  return assert.fail('there was a choice')
}

test('the clock chooses among keys with times, to the millisecond and in any order', () => {
  for (const keys of [
    [next, current, previous],
    [previous, current, next],
    [current, next, previous],
  ]) {
    const choice = choose(keys)
    assert.ok(choice.isTimed)
    assert.deepEqual(
      [at - 30 * day, at - 1, at, at + 1, at + 30 * day - 1, at + 30 * day, at + 400 * day].map(choice.current),
      ['previous', 'previous', 'current', 'current', 'current', 'next', 'next'],
    )
    assert.deepEqual(
      [at - 30 * day, at - 1, at, at + 30 * day - 1, at + 30 * day, at + 400 * day].map(choice.previous),
      [undefined, undefined, 'previous', 'previous', 'current', 'current'],
    )
  }
})

test('the first key signs without an end until another key follows', () => {
  const choice = choose([{ keyId: 'first', signsFrom: at }])
  assert.deepEqual([at, at + 4_000 * day].map(choice.current), ['first', 'first'])
  assert.equal(choice.previous(at + 4_000 * day), undefined)
})

test('if two keys could sign now, the later one signs', () => {
  const choice = choose([
    { keyId: 'one', signsFrom: at },
    { keyId: 'other', signsFrom: at + 1 },
  ])
  assert.deepEqual([at, at + 1].map(choice.current), ['one', 'other'])
})

test('before the first signsFrom no key signs, and the error names that time', () => {
  const choice = choose([next, current])
  assert.equal(
    complaint(() => choice.current(at - 1)),
    'holds no key that signs now. The next key, current, signs from 2026-11-24T00:00:00.000Z. Wait for it, or make its signsFrom earlier. Check that the clock is right.',
  )
})

test('in a gap between two keys, the error names the last key and the next key', () => {
  const choice = choose([previous, next])
  assert.match(
    complaint(() => choice.current(at)),
    /^holds no key that signs now\. The last key, previous, signed until 2026-11-24T00:00:00\.000Z\. The next key, next, signs from 2026-12-24T00:00:00\.000Z\. Wait/,
  )
})

test('if all keys have ended, the error says when, and what to do', () => {
  const choice = choose([previous, current])
  assert.equal(
    complaint(() => choice.current(at + 30 * day)),
    'holds no key that signs now. The last key, current, signed until 2026-12-24T00:00:00.000Z. Rotate the secret to make a new key.',
  )
})

test('a key without times beside keys with times never signs, and the error names it if no key signs', () => {
  const choice = choose([{ keyId: 'by hand' }, previous, current])
  assert.deepEqual([at - 1, at].map(choice.current), ['previous', 'current'])
  assert.equal(choice.previous(at), 'previous')
  assert.match(
    complaint(() => choice.current(at + 30 * day)),
    / Rotate the secret to make a new key\. If one key has signsFrom, keys without signsFrom never sign: by hand\.$/,
  )
})

test('the clock chooses among the keys that have the alias', () => {
  const choice = choose([previous, current], 'current')
  assert.equal(choice.current(at), 'current')
  assert.equal(choice.previous(at), undefined)
  assert.match(
    complaint(() => choice.current(at - 1)),
    /The next key, current, signs/,
  )
  const byHand = choose([{ keyId: 'by hand' }, current], 'by hand')
  assert.equal(byHand.isTimed, false)
  assert.equal(byHand.current(at), 'by hand')
  assert.equal(
    complaint(() => choose([previous, current], 'none')),
    'holds no key with the kid "none". Set keyAlias to one of: previous, current.',
  )
})

test('without times the named or only key always signs, and there is no previous key', () => {
  const choice = choose([{ keyId: 'one' }, { keyId: 'other' }], 'other')
  assert.deepEqual([choice.isTimed, choice.current(0), choice.previous(Infinity)], [false, 'other', undefined])
  assert.equal(
    complaint(() => choose([{ keyId: 'one' }, { keyId: 'other' }])),
    'holds several keys. Set keyAlias to the key that signs, one of: one, other.',
  )
})

test('a revoked key is never chosen, with or without times', () => {
  const revoking = (kid: string) => choose([previous, current, next], undefined, new Set([kid]))
  assert.equal(revoking('previous').previous(at), undefined)
  assert.equal(revoking('previous').current(at), 'current')
  assert.equal(revoking('next').current(at), 'current')
  assert.match(
    complaint(() => revoking('current').current(at)),
    /^has no key that may sign: the operator has revoked current\. Store a new key/,
  )
  assert.match(
    complaint(() => revoking('next').current(at + 30 * day)),
    /revoked next/,
  )
  assert.match(
    complaint(() => choose([{ keyId: 'only' }], undefined, new Set(['only'])).current(at)),
    /revoked only/,
  )
})
