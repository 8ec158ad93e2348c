import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rotationSteps } from '../../../lib/key-lifecycle/rotate-key.ts'
import { generateKey } from '../../../lib/signing/key-algorithm.ts'
import { writeKeySet } from '../../../lib/signing/signing-secret.ts'
import { createKeyRotation, givenUp, refused, rotatedSecretName } from '../../support/virtual/key-rotation.ts'

test('the later of two rotations replaces the other one, which ends with a reason', async (t) => {
  const rotation = await createKeyRotation(t)
  await rotation.rotate('first')
  await rotation.step('createSecret', 'second')
  await rotation.step('setSecret', 'second')
  await rotation.step('createSecret', 'third')
  await assert.rejects(rotation.step('finishSecret', 'second'), {
    ...refused,
    message: /another rotation replaced this one\. Start a new rotation\.$/,
  })
  for (const step of rotationSteps.slice(1)) await rotation.step(step, 'third')
  assert.equal(rotation.keys().length, 2)
})

test('a rotation that started before another one ended is given up', async (t) => {
  for (const step of rotationSteps.slice(1)) {
    const rotation = await createKeyRotation(t)
    await rotation.rotate('first')
    for (const each of rotationSteps.slice(0, 3)) await rotation.step(each, 'second')
    await rotation.step('finishSecret', 'second')
    // The first step read the secret before that, and wrote its version after.
    const third = await rotation.secrets.open(rotatedSecretName)
    const stale = generateKey('ES256', 0)
    await third.putPending(
      'third',
      writeKeySet(
        [{ privateKey: stale, keyId: 'stale', certificates: [], signsFrom: rotation.now() }],
        'ES256',
        'first',
      ),
    )
    const kids = rotation.keys().map(({ keyId }) => keyId)
    await assert.rejects(rotation.step(step, 'third'), {
      ...givenUp,
      message: /was changed after this rotation started/,
    })
    assert.deepEqual(
      rotation.keys().map(({ keyId }) => keyId),
      kids,
      step,
    )
    assert.deepEqual(rotation.secrets.labels(rotatedSecretName), { AWSCURRENT: 'second' })
  }
})

test('a rotation is given up if another one overtakes it at its last call', async (t) => {
  let overtake = () => {}
  const rotation = await createKeyRotation(t, {
    wrapSecrets: (secrets) => ({
      async open(name) {
        const secret = await secrets.open(name)
        return {
          ...secret,
          async makeCurrent(version, before) {
            overtake()
            return secret.makeCurrent(version, before)
          },
        }
      },
    }),
  })
  await rotation.rotate('first')
  const text = rotation.secrets.current(rotatedSecretName)
  overtake = () => rotation.secrets.put(rotatedSecretName, text)
  await assert.rejects(rotation.rotate('second'), {
    ...givenUp,
    message: /was changed while this rotation was being finished/,
  })
  assert.equal(rotation.secrets.labels(rotatedSecretName)['AWSPENDING'], undefined)
  assert.equal(rotation.secrets.current(rotatedSecretName), text)
})

test('two processes that run the same step at once make one key', async (t) => {
  const rotation = await createKeyRotation(t)
  await rotation.rotate('first')
  for (const step of rotationSteps) await Promise.all([rotation.step(step, 'second'), rotation.step(step, 'second')])
  assert.equal(rotation.keys().length, 2)
  assert.equal((await rotation.published()).length, 2)
})
