import assert from 'node:assert/strict'
import { test } from 'node:test'
import { publishedKeysRecordName } from '../../../lib/fleet/record-store.ts'
import { createKeyRotation, type KeyRotation, rotatedSecretName } from '../../support/virtual/key-rotation.ts'
import { publicationIn, putPublication } from '../../support/virtual/publications.ts'

/* The time when the record of published keys is due, and the next key is tried. */

async function dueAt({ store }: KeyRotation): Promise<number | undefined> {
  const [record] = await store.read([publishedKeysRecordName('theBuilder')])
  assert.ok(record)
  return record.dueAt
}

test('the trial of a next key is due when the key starts to sign, once its version is current', async (t) => {
  const rotation = await createKeyRotation(t)
  await rotation.rotate('first')
  assert.equal(await dueAt(rotation), undefined, 'the first key comes after none')
  rotation.pass(30 * 86_400)
  rotation.secrets.begin(rotatedSecretName, 'second')
  for (const step of ['createSecret', 'setSecret', 'testSecret'] as const) await rotation.step(step, 'second')
  assert.equal(await dueAt(rotation), undefined, 'it may still be given up')
  await rotation.step('finishSecret', 'second')
  const signsFrom = Math.max(...rotation.keys().map((key) => key.signsFrom ?? 0))
  assert.ok(signsFrom > rotation.now())
  assert.equal(await dueAt(rotation), signsFrom)
})

test('publishing sets a missing trial time, and keeps a trial that is still due', async (t) => {
  const rotation = await createKeyRotation(t)
  await rotation.rotate('first')
  rotation.pass(30 * 86_400)
  await rotation.rotate('second')
  const signsFrom = await dueAt(rotation)
  assert.ok(signsFrom)
  const { tryAt: _tryAt, ...withoutTime } = await publishedSet(rotation)
  await putPublication(rotation.store, 'theBuilder', withoutTime, rotation.now())
  assert.equal(await dueAt(rotation), undefined)
  await rotation.publish()
  assert.equal(await dueAt(rotation), signsFrom)

  while (rotation.now() < signsFrom + 3 * 86_400_000) {
    rotation.pass(86_400)
    await rotation.publish()
  }
  assert.equal(await dueAt(rotation), signsFrom)
})

async function publishedSet({ store, now }: KeyRotation) {
  const publication = await publicationIn(store, 'theBuilder', now())
  return publication?.kind === 'keys' ? publication : assert.fail('nothing is published')
}
