import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Secret } from '../../../lib/secret/secret.ts'
import { createSecretCache } from '../../../lib/secret/secret-cache.ts'
import { SecretError, type SecretErrorCode } from '../../../lib/secret/secret-store.ts'
import { singleVersionSecrets } from '../../support/virtual/secret-stores.ts'

const name = 'tokenwell/test/some'

interface Far {
  text: string
  previous?: string | undefined
  failure?: SecretErrorCode | undefined
  reads: number
  previousReads: number
}

/** A store that counts reads, holds one text under every name, perhaps with a previous one, and fails on request. */
function theSecrets() {
  const far: Far = { text: 'first', reads: 0, previousReads: 0 }
  const clock = { now: 1_000_000 }
  const cache = createSecretCache(
    {
      async get() {
        far.reads++
        if (far.failure) throw new SecretError(far.failure, 'it fails')
        return new Secret(far.text)
      },
      async getPrevious() {
        far.previousReads++
        if (far.failure) throw new SecretError(far.failure, 'it fails')
        return far.previous === undefined ? undefined : new Secret(far.previous)
      },
    },
    () => clock.now,
  )
  const text = async () => (await cache.get(name)).reveal()
  const previous = async () => (await cache.getPrevious(name))?.reveal()
  return { far, clock, cache, text, previous }
}

test('a secret is read once at its first use, and again after 5 min', async () => {
  const { far, clock, cache, text } = theSecrets()
  await Promise.all(Array.from({ length: 10 }, () => cache.get(name)))
  assert.equal(far.reads, 1)
  far.text = 'second'
  clock.now += 299_999
  assert.equal(await text(), 'first')
  clock.now += 1
  assert.deepEqual(await Promise.all([text(), text()]), ['second', 'second'])
  assert.equal(far.reads, 2)
})

test('secrets with different names are independent', async () => {
  const { far, cache } = theSecrets()
  await cache.get(name)
  far.text = 'other'
  assert.equal((await cache.get(`${name}-other`)).reveal(), 'other')
  assert.equal((await cache.get(name)).reveal(), 'first')
})

for (const failure of ['secret_unreachable', 'secret_throttled'] as const)
  test(`while the store can't be asked (${failure}), the cached secret stays in use, and the store is asked again after 10 s`, async () => {
    const { far, clock, text } = theSecrets()
    await text()
    far.failure = failure
    clock.now += 300_000
    assert.equal(await text(), 'first')
    clock.now += 9_999
    assert.equal(await text(), 'first')
    assert.equal(far.reads, 2)
    far.failure = undefined
    far.text = 'second'
    clock.now += 1
    assert.equal(await text(), 'second')
  })

for (const failure of ['secret_missing', 'secret_denied', 'secret_unreadable'] as const)
  test(`a withdrawn secret (${failure}) does not stay in use`, async () => {
    const { far, clock, text } = theSecrets()
    await text()
    far.failure = failure
    clock.now += 300_000
    await assert.rejects(text(), { code: failure })
    await assert.rejects(text(), { code: failure })
    assert.equal(far.reads, 3, 'a failure is not kept')
    far.failure = undefined
    assert.equal(await text(), 'first')
  })

test('a store that could not be asked at the first use is asked again at the next use', async () => {
  const { far, text } = theSecrets()
  far.failure = 'secret_unreachable'
  await assert.rejects(text(), { code: 'secret_unreachable' })
  far.failure = undefined
  assert.equal(await text(), 'first')
})

test('refresh reads a secret at most once in 10 s, and returns whether it has changed', async () => {
  const { far, clock, cache, text } = theSecrets()
  await text()
  assert.equal(await cache.refresh(name), false, 'the same')
  far.text = 'second'
  clock.now += 9_999
  assert.equal(await cache.refresh(name), false, 'read a moment ago')
  assert.equal(far.reads, 2)
  assert.equal(await text(), 'first')
  clock.now += 1
  assert.equal(await cache.refresh(name), true)
  assert.equal(await text(), 'second')
  assert.equal(far.reads, 3)
})

test("a secret that was not cached before, or can't be read, does not count as changed", async () => {
  const { far, clock, cache, text } = theSecrets()
  assert.equal(await cache.refresh(name), false)
  far.failure = 'secret_unreachable'
  clock.now += 10_000
  assert.equal(await cache.refresh(name), false)
  assert.equal(await text(), 'first')
  far.failure = 'secret_denied'
  clock.now += 10_000
  await assert.rejects(cache.refresh(name), { code: 'secret_denied' })
})

test('a refreshed secret is cached for 5 min from the refresh', async () => {
  const { far, clock, cache, text } = theSecrets()
  await text()
  clock.now += 200_000
  await cache.refresh(name)
  clock.now += 299_999
  await text()
  assert.equal(far.reads, 2)
  clock.now += 1
  await text()
  assert.equal(far.reads, 3)
})

test('a forgotten secret is read again at its next use', async () => {
  const { far, cache, text } = theSecrets()
  await text()
  far.text = 'second'
  cache.forget(name)
  assert.equal(await text(), 'second')
  cache.forget('tokenwell/test/never-read')
})

test('the previous version is read on request, at most once in 10 s', async () => {
  const { far, clock, text, previous } = theSecrets()
  far.previous = 'before'
  await text()
  assert.equal(far.previousReads, 0)
  assert.deepEqual(await Promise.all([previous(), previous()]), ['before', 'before'])
  far.previous = 'first'
  clock.now += 9_999
  assert.equal(await previous(), 'before')
  assert.equal(far.previousReads, 1)
  clock.now += 1
  assert.equal(await previous(), 'first')
  assert.equal(await text(), 'first', 'and the current one is another matter')
  assert.deepEqual([far.reads, far.previousReads], [1, 2])
})

test('a missing or unreadable previous version is also read at most once in 10 s', async () => {
  const { far, clock, previous } = theSecrets()
  assert.deepEqual([await previous(), await previous()], [undefined, undefined])
  assert.equal(far.previousReads, 1)
  clock.now += 10_000
  far.failure = 'secret_unreachable'
  await assert.rejects(previous(), { code: 'secret_unreachable' })
  await assert.rejects(previous(), { code: 'secret_unreachable' })
  assert.equal(far.previousReads, 2)
})

test('previous versions are cached by name, and read again when the store may hold others', async () => {
  const { far, cache, previous } = theSecrets()
  far.previous = 'before'
  await previous()
  far.previous = 'another'
  assert.equal((await cache.getPrevious(`${name}-other`))?.reveal(), 'another')
  assert.equal(await previous(), 'before')
  cache.readAllAgain()
  assert.equal(await previous(), 'another')
})

test('after readAllAgain, each secret is read again at its next use', async () => {
  const { far, clock, cache, text } = theSecrets()
  await text()
  await cache.get(`${name}-other`)
  far.text = 'second'
  cache.readAllAgain()
  assert.equal(far.reads, 2, 'not before')
  assert.deepEqual(await Promise.all([text(), text()]), ['second', 'second'])
  assert.equal((await cache.get(`${name}-other`)).reveal(), 'second')
  assert.equal(far.reads, 4)
  clock.now += 299_999
  await text()
  assert.equal(far.reads, 4)
})

test('a read that fails after a later read does not bring an older secret back', async () => {
  for (const code of ['secret_unreachable', 'secret_denied'] as const) {
    const late = Promise.withResolvers<Secret>()
    const answers = [Promise.resolve(new Secret('first')), late.promise, Promise.resolve(new Secret('second'))]
    const cache = createSecretCache(
      singleVersionSecrets(() => answers.shift() ?? assert.fail('read once too often')),
      () => 1_000_000,
    )
    await cache.get(name)
    cache.readAllAgain()
    const slow = cache.get(name).catch(() => {})
    cache.readAllAgain()
    assert.equal((await cache.get(name)).reveal(), 'second')
    late.reject(new SecretError(code, 'it fails'))
    await slow
    assert.equal((await cache.get(name)).reveal(), 'second')
  }
})
