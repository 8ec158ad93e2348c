import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { inspect } from 'node:util'
import type { RotatingSecret } from '../../lib/key-lifecycle/rotating-secret.ts'
import { Secret } from '../../lib/secret/secret.ts'

/** A secret somewhere, as its rotation sees it. */
export interface SecretUnderTest {
  readonly secret: RotatingSecret
  /** Once more, as another process would. */
  reopen(): Promise<RotatingSecret>
  /** The text that a signer gets. */
  current(): Promise<string>
}

/** @param start with that text, or without one; undefined where the server is missing, and the test ends */
export type StartSecret = (t: TestContext, text: string | undefined) => Promise<SecretUnderTest | undefined>

/** What each store must offer whoever rotates a secret. */
export function testRotatingSecret(start: StartSecret): void {
  test('a secret has a current version, and none that is pending', async (t) => {
    const started = await start(t, 'the first text')
    if (!started) return
    const { secret } = started
    const { current = '', ...others } = await secret.labels()
    assert.deepEqual(others, {})
    assert.equal((await secret.read(current))?.reveal(), 'the first text')
    assert.equal(await secret.read(randomUUID()), undefined)
  })

  test('a version is written as pending, and changes nothing for who reads the secret', async (t) => {
    const started = await start(t, 'the first text')
    if (!started) return
    const { secret, reopen, current } = started
    const before = await secret.labels()
    const version = randomUUID()
    assert.equal(await secret.putPending(version, new Secret('the second text, ünbroken\n')), true)
    for (const each of [secret, await reopen()]) {
      assert.deepEqual(await each.labels(), { ...before, pending: version })
      assert.equal((await each.read(version))?.reveal(), 'the second text, ünbroken\n')
    }
    assert.equal(await current(), 'the first text')
  })

  test('the same text once more changes nothing', async (t) => {
    const started = await start(t, 'the first text')
    if (!started) return
    const { secret } = started
    const version = randomUUID()
    await secret.putPending(version, new Secret('the second text'))
    assert.equal(await secret.putPending(version, new Secret('the second text')), true)
    assert.equal((await secret.read(version))?.reveal(), 'the second text')
  })

  test('of two versions the one that was written last is pending', async (t) => {
    const started = await start(t, 'the first text')
    if (!started) return
    const { secret } = started
    const [one, other] = [randomUUID(), randomUUID()]
    await secret.putPending(one, new Secret('one'))
    await secret.putPending(other, new Secret('other'))
    assert.equal((await secret.labels()).pending, other)
    await secret.giveUp(one)
    assert.equal((await secret.labels()).pending, other, 'and giving up the other one leaves it')
  })

  test('what is given up is pending no more, however often', async (t) => {
    const started = await start(t, 'the first text')
    if (!started) return
    const { secret, current } = started
    const version = randomUUID()
    await secret.giveUp(version)
    await secret.putPending(version, new Secret('the second text'))
    for (let count = 0; count < 2; count++) await secret.giveUp(version)
    assert.equal((await secret.labels()).pending, undefined)
    assert.equal(await current(), 'the first text')
  })

  test('a pending version is made current in place of the one that is known, once', async (t) => {
    const started = await start(t, 'the first text')
    if (!started) return
    const { secret, current } = started
    const { current: before } = await secret.labels()
    const version = randomUUID()
    await secret.putPending(version, new Secret('the second text'))
    assert.equal(await secret.makeCurrent(version, before), true)
    assert.equal((await secret.labels()).current, version)
    assert.equal((await secret.read(version))?.reveal(), 'the second text')
    assert.equal(await current(), 'the second text')
    assert.equal(await secret.makeCurrent(version, before), true, 'nor does a repetition fail')
    assert.equal(await current(), 'the second text')
  })

  test('a version is not made current in place of another one than is known', async (t) => {
    const started = await start(t, 'the first text')
    if (!started) return
    const { secret, current } = started
    const { current: before } = await secret.labels()
    const [one, other] = [randomUUID(), randomUUID()]
    await secret.putPending(one, new Secret('one'))
    await secret.makeCurrent(one, before)
    await secret.putPending(other, new Secret('other'))
    for (const wrong of [before, randomUUID(), undefined]) assert.equal(await secret.makeCurrent(other, wrong), false)
    assert.equal(await current(), 'one')
  })

  test('a whole rotation after another', async (t) => {
    const started = await start(t, 'the first text')
    if (!started) return
    const { reopen, current } = started
    for (const text of ['second', 'third', 'fourth']) {
      const secret = await reopen()
      const { current: before } = await secret.labels()
      const version = randomUUID()
      await secret.putPending(version, new Secret(text))
      assert.equal(await secret.makeCurrent(version, before), true)
      assert.equal(await current(), text)
    }
  })

  test('a secret that never had a text is given its first one', async (t) => {
    const started = await start(t, undefined)
    if (!started) return
    const { secret, current } = started
    assert.deepEqual(await secret.labels(), {})
    const version = randomUUID()
    await secret.putPending(version, new Secret('the first text'))
    const { current: before } = await secret.labels()
    assert.equal(await secret.makeCurrent(version, before), true)
    assert.equal(await current(), 'the first text')
  })

  test('nothing of it prints', async (t) => {
    const started = await start(t, 'hunter2')
    if (!started) return
    const { secret } = started
    const { current = '' } = await secret.labels()
    await secret.putPending(randomUUID(), new Secret('hunter2 too'))
    assert.doesNotMatch(inspect([secret, await secret.read(current)], { depth: 9, showHidden: true }), /hunter2/)
  })
}
