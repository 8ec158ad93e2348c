import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import { createBackgroundApplication } from '../../../lib/application/application.ts'
import { keysOf } from '../../../lib/key-lifecycle/published-keys.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import { elementStoreOf, exampleIssuer } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'
import { withDefaultPorts } from '../../support/virtual/default-ports.ts'
import { aheadSeconds, createKeyRotation, type KeyRotation, marginSeconds } from '../../support/virtual/key-rotation.ts'
import { createPublicationKey, publicationIn } from '../../support/virtual/publications.ts'
import { createVirtualSecrets } from '../../support/virtual/secret-stores.ts'
import { thePassword, theSigners, unchangingConnections } from '../../support/virtual/virtual-ports.ts'

/*
 * infra/two-regions.md: one region makes the keys, and the stage of the other region reads replicas of the secrets. It has a store and
 * a publication key of its own.
 */

test('both regions publish the same keys, before, during and after a rotation that only one of them makes', async (t) => {
  const first = await createKeyRotation(t)
  const second = await createSecondRegion(t, first)
  const assertSame = async (count: number) => {
    await first.publish()
    await second.publish()
    const [one, other] = [await first.publishedKids(), await second.publishedKids()]
    assert.deepEqual(other.toSorted(), one.toSorted())
    assert.equal(one.length, count)
  }
  await first.rotate('first')
  await assertSame(1)
  const signedBefore = first.signer().keyId
  first.pass(3_600)
  await first.rotate('second')
  await assertSame(2)
  assert.equal(first.signer().keyId, signedBefore, 'the clock decides in both regions')
  first.pass(aheadSeconds + marginSeconds)
  assert.notEqual(first.signer().keyId, signedBefore)
  await assertSame(2)
  first.pass(86_400)
  await assertSame(1)
})

test('without a replica of the secret, the other region says which secret is missing and publishes nothing', async (t) => {
  const first = await createKeyRotation(t)
  const second = await createSecondRegion(t, { secrets: createVirtualSecrets(), now: first.now })
  await second.publish()
  assert.deepEqual(await second.publishedKids(), [])
  const [failed] = second.events.filter(({ event }) => event === 'publication_failed')
  assert.match(JSON.stringify(failed), /secret_missing.*tokenwell\/local\/jwk\/theBuilder/)
})

test('a publication of one region that is copied into the store of the other shows no key', async (t) => {
  const first = await createKeyRotation(t)
  const second = await createSecondRegion(t, first)
  await first.rotate('first')
  await first.publish()
  assert.equal((await first.publishedKids()).length, 1)
  const copied = await publicationIn(first.store, 'theBuilder', first.now(), second.publicationKey)
  assert.equal(copied, undefined)
})

/** A stage that reads the same secret, as it reads a replica, on the same clock. */
async function createSecondRegion(t: TestContext, { secrets, now }: Pick<KeyRotation, 'secrets' | 'now'>) {
  const store = memoryRecords({ maximumRecords: 100 })
  const publicationKey = createPublicationKey()
  const events: LogEvent[] = []
  const elements = await elementStoreOf(t, exampleElements(exampleIssuer, { builder: { signatureAlgorithm: 'ES256' } }))
  const { publishKeys } = createBackgroundApplication(
    withDefaultPorts({
      ...{ elements, secretStore: secrets, store, publicationKey, now },
      log: (event: LogEvent) => void events.push(event),
      secretRotation: { open: () => assert.fail('this region does not rotate') },
      pause: () => new Promise<void>(() => {}),
      ...{ connections: unchangingConnections(plainConnection), secrets: thePassword, signers: theSigners },
      tokenEndpoint: { post: () => assert.fail('no token is asked for here') },
    }),
  )
  return {
    ...{ publicationKey, events },
    publish: () => publishKeys(['theBuilder'], now() + 10_000),
    async publishedKids() {
      const publication = await publicationIn(store, 'theBuilder', now(), publicationKey)
      return keysOf(publication, now()).map(({ jwk }) => jwk.kid)
    },
  }
}
