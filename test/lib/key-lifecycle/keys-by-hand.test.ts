import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import {
  aheadSeconds,
  assertVerifies,
  createKeyRotation,
  givenUp,
  type KeyRotation,
  marginSeconds,
  rotatedSecretName,
} from '../../support/virtual/key-rotation.ts'

test('when an operator removes the next key, the current key signs until there is another one', async (t) => {
  const rotation = await createKeyRotation(t)
  await rotation.rotate('first')
  const first = rotation.signer().keyId
  await rotation.rotate('second')
  removeByHand(rotation, 0)
  rotation.pass(86_000)
  await rotation.rotate('third')
  for (let hours = 0; hours < 48; hours++) {
    rotation.pass(3600)
    await rotation.publish()
    await assertVerifies(rotation)
  }
  assert.notEqual(rotation.signer().keyId, first)
})

test('when an operator removes the current key, the next key signs as soon as the secret is rotated', async (t) => {
  const rotation = await createKeyRotation(t)
  await rotation.rotate('first')
  await rotation.rotate('second')
  const next = rotation.keys()[0]?.keyId
  removeByHand(rotation, 1)
  assert.throws(() => rotation.signer())
  await rotation.rotate('third')
  assert.equal(rotation.signer().keyId, next)
  assert.equal(rotation.keys().length, 1)
  await assertVerifies(rotation)
})

test('when an operator removes all keys, a new key signs at once', async (t) => {
  const rotation = await createKeyRotation(t)
  await rotation.rotate('first')
  rotation.secrets.put(rotatedSecretName, '{ "keys": [] }')
  await rotation.rotate('second')
  await assertVerifies(rotation)
})

test('a key that an operator removes during a rotation stays removed', async (t) => {
  const rotation = await createKeyRotation(t, { builder: { publishAheadSeconds: 100 } })
  await rotation.rotate('first')
  await rotation.rotate('second')
  rotation.pass(110)
  await rotation.step('createSecret', 'third')
  await rotation.step('setSecret', 'third')
  removeByHand(rotation, 1)
  const left = rotation.keys().map(({ keyId }) => keyId)
  await assert.rejects(rotation.step('finishSecret', 'third'), givenUp)
  assert.deepEqual(
    rotation.keys().map(({ keyId }) => keyId),
    left,
  )
  await rotation.rotate('fourth')
  assert.deepEqual(
    rotation
      .keys()
      .slice(1)
      .map(({ keyId }) => keyId),
    left,
  )
})

test('a key that was stored before keys had times signs until the next one signs', async (t) => {
  const rotation = await createKeyRotation(t)
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  rotation.secrets.put(rotatedSecretName, JSON.stringify({ keys: [{ ...key.export({ format: 'jwk' }), kid: 'old' }] }))
  await rotation.publish()
  await rotation.rotate('first')
  assert.equal(rotation.signer().keyId, 'old')
  rotation.pass(aheadSeconds + marginSeconds)
  assert.notEqual(rotation.signer().keyId, 'old')
  await assertVerifies(rotation)
})

test('a text that no rotation wrote is never overwritten', async (t) => {
  for (const text of [
    'hunter2',
    '-----BEGIN PRIVATE KEY-----\nhunter2',
    '{ "keys": [ { "kty": "EC" } ] }',
    '{ "kty": "oct", "k": "hunter2" }',
  ]) {
    const rotation = await createKeyRotation(t)
    rotation.secrets.put(rotatedSecretName, text)
    await assert.rejects(rotation.rotate('first'), {
      name: 'KeyStoreError',
      message: /^The secret tokenwell\/local\/jwk\/theBuilder /,
    })
    assert.equal(rotation.secrets.current(rotatedSecretName), text)
    assert.equal(rotation.secrets.labels(rotatedSecretName)['AWSPENDING'], undefined)
  }
})

test('the secret as the stack makes it, and a secret without text, hold no key yet', async (t) => {
  for (const text of ['{ "keys": [] }', '{}', '{ "keys": [], "placeholder": "abc" }', '', ' \n']) {
    const rotation = await createKeyRotation(t)
    rotation.secrets.put(rotatedSecretName, text)
    await rotation.rotate('first')
    await assertVerifies(rotation)
  }
})

function removeByHand(rotation: KeyRotation, index: number): void {
  const { keys } = JSON.parse(rotation.secrets.current(rotatedSecretName))
  rotation.secrets.put(rotatedSecretName, JSON.stringify({ keys: keys.toSpliced(index, 1) }))
}
