import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { inspect } from 'node:util'
import type { RotatingSecret } from '../../lib/key-lifecycle/rotating-secret.ts'
import { Secret } from '../../lib/secret/secret.ts'

/** A secret in some store, as its rotation sees it. */
export interface SecretUnderTest {
  readonly secret: RotatingSecret
  /** Opens the secret again, as another process does. */
  reopen(): Promise<RotatingSecret>
  /** The text that a signer reads. */
  current(): Promise<string>
}

/**
 * @param start a secret with that text, or without any text. Undefined if the server is missing; the test then ends.
 */
export type StartSecret = (t: TestContext, text: string | undefined) => Promise<SecretUnderTest | undefined>

/** What each store must offer to a rotation. */
export function testRotatingSecret(start: StartSecret): void {
  test('a new secret has a current version and no pending version', async (t) => {
    const started = await start(t, 'the first text')
    if (!started) return
    const { secret } = started
    const { current = '', ...others } = await secret.labels()
    assert.deepEqual(others, {})
    assert.equal((await secret.read(current))?.reveal(), 'the first text')
    assert.equal(await secret.read(randomUUID()), undefined)
  })

  test('a new version is pending, and readers of the secret still get the current one', async (t) => {
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

  test('writing the same text again changes nothing', async (t) => {
    const started = await start(t, 'the first text')
    if (!started) return
    const { secret } = started
    const version = randomUUID()
    await secret.putPending(version, new Secret('the second text'))
    assert.equal(await secret.putPending(version, new Secret('the second text')), true)
    assert.equal((await secret.read(version))?.reveal(), 'the second text')
  })

  test('the version that was written last is pending', async (t) => {
    const started = await start(t, 'the first text')
    if (!started) return
    const { secret } = started
    const [one, other] = [randomUUID(), randomUUID()]
    await secret.putPending(one, new Secret('one'))
    await secret.putPending(other, new Secret('other'))
    assert.equal((await secret.labels()).pending, other)
    await secret.giveUp(one)
    assert.equal((await secret.labels()).pending, other, 'giving up the older version does not change that')
  })

  test('a version that is given up, once or twice, is no longer pending', async (t) => {
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

  test('a pending version replaces the known current version, and a repetition changes nothing', async (t) => {
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
    assert.equal(await secret.makeCurrent(version, before), true, 'a repetition succeeds too')
    assert.equal(await current(), 'the second text')
  })

  test('a version does not become current if the current version is another than the rotation knows', async (t) => {
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

  test('several whole rotations succeed one after the other', async (t) => {
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

  test('a secret without any text gets its first one', async (t) => {
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

  test('the secret does not print', async (t) => {
    const started = await start(t, 'hunter2')
    if (!started) return
    const { secret } = started
    const { current = '' } = await secret.labels()
    await secret.putPending(randomUUID(), new Secret('hunter2 too'))
    assert.doesNotMatch(inspect([secret, await secret.read(current)], { depth: 9, showHidden: true }), /hunter2/)
  })
}
