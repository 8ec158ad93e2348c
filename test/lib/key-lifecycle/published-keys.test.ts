import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keysOf, keysToPublish, type PublishedKey, republish } from '../../../lib/key-lifecycle/published-keys.ts'
import { generateKey } from '../../../lib/signing/key-algorithm.ts'
import type { PublicJwk } from '../../../lib/signing/public-jwk.ts'

const now = 1_800_000_000_000
const drainMilliseconds = 720_000
const aheadMilliseconds = 86_400_000
const earlier = now - 86_400_000

const jwk = (kid: string, more: object = {}): PublicJwk => ({
  kty: 'EC',
  kid,
  crv: 'P-256',
  x: kid,
  y: kid,
  alg: 'ES256',
  ...more,
})
const standing = (kid: string, until?: number): PublishedKey => ({
  ...{ jwk: jwk(kid), publishedAt: earlier },
  ...(until !== undefined && { until }),
})
const next = (before: readonly PublishedKey[], keys: readonly { jwk: PublicJwk; until?: number }[]) =>
  republish(before, keys, { now, assertionDrainMilliseconds: drainMilliseconds, aheadMilliseconds }).map(
    ({ jwk: { kid }, ...times }) => ({
      kid,
      ...times,
    }),
  )

test('a new key is published from now on, and a known key keeps its publication time', () => {
  assert.deepEqual(next([standing('a')], [{ jwk: jwk('b') }, { jwk: jwk('a') }]), [
    { kid: 'b', publishedAt: now },
    { kid: 'a', publishedAt: earlier },
  ])
})

test('a removed key stays until its last assertion has expired, and publishing again does not extend that', () => {
  const [a] = republish([standing('a')], [], { now, assertionDrainMilliseconds: drainMilliseconds, aheadMilliseconds })
  assert.equal(a?.until, now + drainMilliseconds)
  const later = { now: now + drainMilliseconds - 1, assertionDrainMilliseconds: drainMilliseconds, aheadMilliseconds }
  assert.equal(republish([a], [], later)[0]?.until, now + drainMilliseconds)
  assert.deepEqual(republish([a], [], { ...later, now: now + drainMilliseconds }), [])
})

test('a key with a known end is withdrawn at that end', () => {
  assert.deepEqual(next([standing('a', now + 5)], [{ jwk: jwk('a'), until: now + 5 }]), [
    { kid: 'a', publishedAt: earlier, until: now + 5 },
  ])
  assert.deepEqual(next([standing('a', now)], [{ jwk: jwk('a'), until: now }]), [])
  assert.deepEqual(next([], [{ jwk: jwk('a'), until: now }]), [], 'nor is it published after it')
})

test('a key that has just signed stays for its assertions, also after its planned end', () => {
  assert.deepEqual(next([standing('a')], [{ jwk: jwk('a'), until: now - 1 }]), [
    { kid: 'a', publishedAt: earlier, until: now + drainMilliseconds },
  ])
  assert.deepEqual(next([standing('a', now + 9)], [{ jwk: jwk('a'), until: now - 1 }]), [
    { kid: 'a', publishedAt: earlier, until: now + 9 },
  ])
  assert.deepEqual(next([standing('a')], [{ jwk: jwk('a'), until: now + 10 * drainMilliseconds }]), [
    { kid: 'a', publishedAt: earlier, until: now + 10 * drainMilliseconds },
  ])
})

test('a key that signs again has no end, and its publication time starts anew', () => {
  assert.deepEqual(next([standing('a', now + 9)], [{ jwk: jwk('a') }]), [{ kid: 'a', publishedAt: earlier }])
  assert.deepEqual(next([standing('a', now)], [{ jwk: jwk('a') }]), [{ kid: 'a', publishedAt: now }])
})

test('another key with the same kid replaces a key at once, because verifiers could not tell the two apart', () => {
  const published = republish([standing('a')], [{ jwk: jwk('a', { x: 'other' }) }, { jwk: jwk('a', { x: 'third' }) }], {
    now,
    assertionDrainMilliseconds: drainMilliseconds,
    aheadMilliseconds,
  })
  assert.deepEqual(published, [{ jwk: jwk('a', { x: 'other' }), publishedAt: now }])
})

test('a certificate that is added or removed does not change the key', () => {
  assert.deepEqual(
    republish([standing('a')], [{ jwk: jwk('a', { x5c: ['abc'] }) }], {
      now,
      assertionDrainMilliseconds: drainMilliseconds,
      aheadMilliseconds,
    }),
    [{ jwk: jwk('a', { x5c: ['abc'] }), publishedAt: earlier }],
  )
})

test('a key is not served after its end, and a shared key is never served', () => {
  const keys = [standing('a'), standing('b', now), standing('c', now + 1)]
  const kids = keysOf({ kind: 'keys', keys }, now).map(({ jwk: { kid } }) => kid)
  assert.deepEqual(kids, ['a', 'c'])
  assert.deepEqual(keysOf({ kind: 'shared_key', algorithm: 'HS256' }, now), [])
  assert.deepEqual(keysOf(undefined, now), [])
})

test('a key without a publication time counts as published from now on', () => {
  const unknown = { jwk: jwk('a'), publishedAt: Infinity }
  assert.deepEqual(next([unknown], [{ jwk: jwk('a') }]), [{ kid: 'a', publishedAt: now }])
})

test('an end later than that of any key that could be of use is brought forward', () => {
  const tenYears = now + 10 * 365 * 86_400_000
  const latest = now + aheadMilliseconds + drainMilliseconds
  assert.deepEqual(next([standing('a', tenYears), standing('b', latest), standing('c', latest - 1)], []), [
    { kid: 'a', publishedAt: earlier, until: latest },
    { kid: 'b', publishedAt: earlier, until: latest },
    { kid: 'c', publishedAt: earlier, until: latest - 1 },
  ])
  const [again] = next([standing('a', tenYears)], [{ jwk: jwk('a'), until: now + 5 }])
  assert.deepEqual(again, { kid: 'a', publishedAt: earlier, until: latest })
})

test('a key that is marked for another algorithm is not published', () => {
  const keys = (['ES256', 'ES384', undefined] as const).map((algorithm, index) => ({
    privateKey: generateKey('ES256', 0),
    keyId: `key-${index}`,
    certificates: [],
    ...(algorithm && { algorithm }),
  }))
  const builder = {
    jwtBuilder: 'theBuilder',
    algorithm: 'ES256',
    key: { jwtBuilder: 'theBuilder', location: 'tokenwell/local/the-key' },
    certificateThumbprint: 'none',
    assertionSeconds: 120,
  } as const
  assert.deepEqual(
    keysToPublish(builder, keys, now).map((each) => each.jwk.kid),
    ['key-0', 'key-2'],
  )
})
