import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planKeys, resolveRotatedBuilder } from '../../../lib/key-lifecycle/plan-keys.ts'
import { generateKey } from '../../../lib/signing/key-algorithm.ts'
import type { SigningKey } from '../../../lib/signing/signing-key.ts'
import { elementStoreOf, localDeployment } from '../../support/elements/element-store.ts'

const now = 1_800_000_000_000
const second = 1000
const day = 86_400 * second
const [ec, rsa] = [generateKey('ES256', 0), generateKey('RS256', 2048)]

const key = (keyId: string, times: Partial<SigningKey> = {}): SigningKey => ({
  privateKey: ec,
  keyId,
  certificates: [],
  ...times,
})

interface Options {
  readonly at?: number
  readonly aheadSeconds?: number
  readonly rotationSeconds?: number
}

/** By id: `from-until`, in seconds from now. */
function plan(
  keys: readonly SigningKey[],
  { at = now, aheadSeconds = 3600, rotationSeconds = 30 * 86_400 }: Options = {},
) {
  const builder = {
    ...({
      jwtBuilder: 'theBuilder',
      algorithm: 'ES256',
      certificateThumbprint: 'none',
      hasCertificateChain: false,
      assertionSeconds: 120,
    } as const),
    key: { jwtBuilder: 'theBuilder', location: 'the-secret' },
    generated: { modulusLength: 2048, rotationSeconds, publishAheadSeconds: aheadSeconds },
  }
  const relative = (time: number | undefined) => (time === undefined ? '' : String((time - now) / second))
  return planKeys(builder, keys, at, () => key('new')).map(
    ({ keyId, signsFrom, signsUntil }) => `${keyId}: ${relative(signsFrom)} to ${relative(signsUntil)}`,
  )
}

test('the new key signs after publishAheadSeconds and a margin of a tenth, from two seconds to ten minutes', () => {
  const current = key('current', { signsFrom: now - day })
  const from = (aheadSeconds: number) => plan([current], { aheadSeconds })
  assert.deepEqual(from(3600), ['new: 3960 to ', 'current: -86400 to 3960'])
  assert.deepEqual(from(86_400), ['new: 87000 to ', 'current: -86400 to 87000'])
  assert.deepEqual(from(5), ['new: 7 to ', 'current: -86400 to 7'])
  assert.deepEqual(from(0), ['new: 0 to ', 'current: -86400 to 0'])
})

test('the margin is short enough that the next rotation finds no staged key', () => {
  const current = key('current', { signsFrom: now - day })
  const from = (aheadSeconds: number) => plan([current], { aheadSeconds, rotationSeconds: 14_400 })[0]
  assert.equal(from(14_300), 'new: 14350 to ')
  assert.equal(from(13_000), 'new: 13600 to ')
  assert.equal(from(14_400), 'new: 14400 to ')
  assert.equal(from(20_000), 'new: 20000 to ')
})

test('times are whole seconds and never too early', () => {
  assert.deepEqual(plan([key('current', { signsFrom: 0 })], { at: now + 1 })[0], 'new: 3961 to ')
  assert.deepEqual(plan([], { at: now + 999 }), ['new: 0 to '], 'but for the first, which signs at once')
})

test('a key is kept until its last assertion has expired', () => {
  const current = key('current', { signsFrom: now - day })
  const previous = (secondsAgo: number) => key('previous', { signsFrom: 0, signsUntil: now - secondsAgo * second })
  assert.equal(plan([current, previous(719)]).length, 3)
  assert.equal(plan([current, previous(720)]).length, 2)
  assert.equal(plan([previous(719)]).length, 2)
})

test('if no key signs, the staged key signs at once, and no new key is made', () => {
  const waiting = key('waiting', { signsFrom: now + 5 * second })
  assert.deepEqual(plan([waiting]), ['waiting: 0 to '])
  const previous = key('previous', { signsFrom: now - day, signsUntil: now - 60 * second })
  assert.deepEqual(plan([waiting, previous]), ['waiting: 0 to ', 'previous: -86400 to -60'])
})

test('the first of several staged keys signs', () => {
  const keys = [key('later', { signsFrom: now + 9 * second }), key('sooner', { signsFrom: now + 5 * second })]
  assert.deepEqual(plan(keys), ['sooner: 0 to ', 'later: 9 to '])
})

test('a rotation is refused while one key signs and another is staged', () => {
  const keys = [key('waiting', { signsFrom: now + 61 * second }), key('current', { signsFrom: 0 })]
  assert.throws(() => plan(keys), {
    name: 'RotationRefusedError',
    message: /Its next key waiting is published and starts to sign in 2 min/,
  })
  assert.equal(plan(keys, { at: now + 61 * second })[0], 'new: 4021 to ', 'from its second on there is')
})

test('a current key whose successor was removed signs until the new key starts', () => {
  for (const signsUntil of [now + second, now + 10 * day])
    assert.deepEqual(plan([key('current', { signsFrom: now - day, signsUntil })]), [
      'new: 3960 to ',
      'current: -86400 to 3960',
    ])
})

test('every key that could still sign ends when the new key starts', () => {
  const keys = [key('current', { signsFrom: now - day }), key('forgotten', { signsFrom: now - 2 * day })]
  assert.deepEqual(plan(keys), ['new: 3960 to ', 'current: -86400 to 3960', 'forgotten: -172800 to 3960'])
})

test('keys without times count as always signing, but never sign beside keys with times', () => {
  assert.deepEqual(plan([key('a'), key('b')]), [
    'new: 3960 to ',
    `a: ${-now / second} to 3960`,
    `b: ${-now / second} to 3960`,
  ])
  assert.deepEqual(plan([key('a'), key('current', { signsFrom: now - day })]).slice(1), [
    'a:  to ',
    'current: -86400 to 3960',
  ])
})

test('a key of another algorithm is kept for its assertions, and never starts to sign', () => {
  const old = { privateKey: rsa }
  assert.deepEqual(plan([key('old', { ...old, signsFrom: now - day })]), ['new: 0 to ', 'old: -86400 to 0'])
  assert.deepEqual(plan([key('old', { ...old, signsFrom: now + day })]), ['new: 0 to '])
})

test('a KMS key is not rotated, and the refusal says where the steps to change it are', async (t) => {
  const elements = await elementStoreOf(t, {
    jwtBuilder: { theBuilder: { keyStoreRef: 'inKms' } },
    keyStore: { inKms: { location: 'kms:alias/tokenwell/local/partner' } },
  })
  await assert.rejects(resolveRotatedBuilder(elements, localDeployment, 'theBuilder'), {
    name: 'RotationRefusedError',
    message: /^jwtBuilder\/theBuilder signs with a KMS key, which Tokenwell does not rotate\. Change the key in KMS/,
  })
})
