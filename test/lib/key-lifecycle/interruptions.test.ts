import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import type { RecordStore } from '../../../lib/fleet/record-store.ts'
import { rotationSteps } from '../../../lib/key-lifecycle/rotate-key.ts'
import type { RotatingSecret } from '../../../lib/key-lifecycle/rotating-secret.ts'
import { RotationGivenUpError, RotationRefusedError } from '../../../lib/key-lifecycle/rotating-secret.ts'
import type { SigningKey } from '../../../lib/signing/signing-key.ts'
import { currentKey } from '../../../lib/signing/signing-key.ts'
import { createKeyRotation, rotatedSecretName } from '../../support/virtual/key-rotation.ts'

/*
 * A fleet whose rotations stop at any call and are repeated or replaced. Each minute, a signer that has just read the secret and
 * one that read it five minutes ago find a key that was published for long enough. What either has signed can be verified until
 * it expires.
 */

const aheadSeconds = 600
const assertionSeconds = 120
const secretAgeMinutes = 5
const minutesBetweenReconciliations = 60

class ProcessDied extends Error {}

interface Death {
  /** The number of calls that succeed. */
  readonly after: number
  /** Whether the next call takes effect although it fails. */
  readonly isDone: boolean
}

async function startFleet(t: TestContext) {
  let death: Death = { after: Infinity, isDone: false }
  let calls = 0
  async function mortal<T>(call: () => Promise<T>): Promise<T> {
    if (calls++ < death.after) return call()
    death = { ...death, after: -1 }
    if (death.isDone) await call()
    death = { ...death, isDone: false }
    throw new ProcessDied()
  }
  const wrap = <Port extends RotatingSecret | RecordStore>(port: Port): Port =>
    new Proxy(port, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name)
        return typeof method === 'function'
          ? (...values: unknown[]) => mortal(() => method.apply(target, values))
          : method
      },
    })
  const rotation = await createKeyRotation(t, {
    builder: { publishAheadSeconds: aheadSeconds, expiresInSeconds: assertionSeconds },
    wrapSecrets: (secrets) => ({ open: async (name) => wrap(await secrets.open(name)) }),
    wrapStore: wrap,
  })

  /** By minute, the keys of a signer that read the secret then. */
  const readings: (readonly SigningKey[])[] = []
  const lastSignedAt = new Map<string, number>()
  let read: { readonly text: string; readonly keys: readonly SigningKey[] } = { text: '', keys: [] }
  let minutes = 0

  async function mayDie(run: () => Promise<void>, how?: Death): Promise<'done' | 'died' | 'refused'> {
    death = how ?? { after: Infinity, isDone: false }
    calls = 0
    try {
      await run()
      return 'done'
    } catch (error) {
      if (error instanceof ProcessDied) return 'died'
      if (error instanceof RotationRefusedError || error instanceof RotationGivenUpError) return 'refused'
      throw error
    } finally {
      death = { after: Infinity, isDone: false }
    }
  }

  async function assertSigned(keys: readonly SigningKey[]): Promise<void> {
    const now = rotation.now()
    const key = currentKey(keys, now)
    assert(key, `minute ${minutes}: no key signs`)
    lastSignedAt.set(key.keyId, now)
    const published = (await rotation.published()).find(({ jwk }) => jwk.kid === key.keyId)
    assert(published, `minute ${minutes}: ${key.keyId} signs and is not published`)
    const isFirst = (readings[0] ?? []).some(({ keyId }) => keyId === key.keyId)
    const knownFor = now - published.publishedAt
    assert(isFirst || knownFor >= aheadSeconds * 1000, `minute ${minutes}: known for ${knownFor} ms`)
  }

  function readKeys(): readonly SigningKey[] {
    const text = rotation.secrets.current(rotatedSecretName)
    if (text !== read.text) read = { text, keys: rotation.keys() }
    return read.keys
  }

  async function assertMinute(): Promise<void> {
    readings.push(readKeys())
    await assertSigned(readings.at(-1) ?? [])
    await assertSigned(readings.at(-secretAgeMinutes) ?? readings[0] ?? [])
    const kids = await rotation.publishedKids()
    for (const [kid, at] of lastSignedAt)
      if (rotation.now() <= at + assertionSeconds * 1000)
        assert(kids.includes(kid), `minute ${minutes}: ${kid} signed at ${at} and is published no more`)
  }

  return {
    rotation,
    rotate: (token: string, how?: Death) => mayDie(() => rotation.rotate(token), how),
    step: (index: number, token: string) => mayDie(() => rotation.step(rotationSteps[index] ?? 'createSecret', token)),
    publish: (how?: Death) => mayDie(rotation.publish, how),
    /** The number of calls of one rotation. */
    calls: () => calls,
    async pass(count: number): Promise<void> {
      for (let minute = 0; minute < count; minute++, minutes++) {
        if (minutes % minutesBetweenReconciliations === 0) await rotation.publish()
        await assertMinute()
        rotation.pass(60)
      }
    },
  }
}

test('a rotation that stops at any of its calls, and is repeated or replaced, loses nothing', async (t) => {
  const whole = await startFleet(t)
  await whole.rotate('first')
  await whole.rotate('second')
  const calls = whole.calls()
  t.diagnostic(`${calls} calls`)
  assert.ok(calls > 15, `${calls} calls`)

  for (let after = 0; after < calls; after++)
    for (const isDone of [true, false])
      for (const repeated of ['second', 'third']) {
        const fleet = await startFleet(t)
        await fleet.rotate('first')
        await fleet.pass(2)
        const first = fleet.rotation.signer().keyId
        assert.equal(await fleet.rotate('second', { after, isDone }), 'died')
        await fleet.pass(1)
        // If the rotation was finished, the next one has to wait for its key.
        await fleet.rotate(repeated)
        await fleet.pass(90)
        assert.notEqual(fleet.rotation.signer().keyId, first, `${after} ${isDone} ${repeated}`)
        assert.equal((await fleet.rotation.published()).length, 1, `${after} ${isDone} ${repeated}`)
        assert.equal(await fleet.rotate('fourth'), 'done')
      }
})

const someDeath = (calls: number) =>
  fc.option(fc.record({ after: fc.nat(calls), isDone: fc.boolean() }), { freq: 3, nil: undefined })
const someMinutes = fc.nat(100)
const someToken = fc.constantFrom('same', 'another')
const someAction = fc.oneof(
  fc.record({ kind: fc.constant('rotate' as const), token: someToken, death: someDeath(20), minutes: someMinutes }),
  // Out of order, as an operator could do it.
  fc.record({ kind: fc.constant('step' as const), token: someToken, index: fc.nat(3), minutes: fc.nat(20) }),
  fc.record({ kind: fc.constant('publish' as const), death: someDeath(1), minutes: someMinutes }),
)

test('after any sequence of rotations, crashes and pauses, every signature can be verified with the published keys', async (t) => {
  const outcomes = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(fc.array(someAction, { minLength: 1, maxLength: 12 }), async (actions) => {
      const fleet = await startFleet(t)
      await fleet.rotate('first')
      let tokens = 0
      for (const action of actions) {
        if (action.kind !== 'publish' && action.token === 'another') tokens++
        const token = `token-${tokens}`
        const outcome =
          action.kind === 'publish'
            ? await fleet.publish(action.death)
            : action.kind === 'step'
              ? await fleet.step(action.index, token)
              : await fleet.rotate(token, action.death)
        outcomes.set(`${action.kind} ${outcome}`, (outcomes.get(`${action.kind} ${outcome}`) ?? 0) + 1)
        await fleet.pass(action.minutes)
      }
      await fleet.pass(30)
      assert.equal(await fleet.rotate('the-last'), 'done', 'and the next rotation is done')
      const last = fleet.rotation.keys()[0]?.keyId
      await fleet.pass(90)
      assert.deepEqual(await fleet.rotation.publishedKids(), [last])
    }),
    { numRuns: 60 },
  )
  for (const each of ['rotate done', 'rotate died', 'rotate refused', 'step refused'])
    assert.ok(outcomes.get(each), each)
  t.diagnostic(JSON.stringify(Object.fromEntries(outcomes)))
})
