import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import { createBackgroundApplication, createPublicApplication } from '../../../lib/application/application.ts'
import { publishedKeysRecordName, type RecordStore } from '../../../lib/fleet/record-store.ts'
import { PublicationKeyError, type PublicationSigner } from '../../../lib/key-lifecycle/publication-key.ts'
import { PublicationRefusedError } from '../../../lib/key-lifecycle/publication-store.ts'
import { keysOf } from '../../../lib/key-lifecycle/published-keys.ts'
import { UnsignedPublicationsError } from '../../../lib/key-lifecycle/sign-publications.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { SecretError } from '../../../lib/secret/secret-store.ts'
import { generateKey } from '../../../lib/signing/key-algorithm.ts'
import { elementStoreOf, exampleIssuer } from '../../support/elements/element-store.ts'
import { exampleElements, type RawElements } from '../../support/elements/elements.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'
import { withDefaultPorts } from '../../support/virtual/default-ports.ts'
import { thePublicationKey } from '../../support/virtual/publications.ts'
import { singleVersionSecrets } from '../../support/virtual/secret-stores.ts'
import { thePassword, theSigners, unchangingConnections } from '../../support/virtual/virtual-ports.ts'

/* The upgrade of a deployment of version 0.1, which signed nothing: refresh-token is new, publish-keys is not yet. */

const start = 1_800_000_000_000
const key = generateKey('ES256', 0).export({ format: 'jwk' })
const { d: _d, ...publicKey } = key
const name = publishedKeysRecordName('theBuilder')

interface Options {
  readonly more?: readonly object[]
  readonly publicationKey?: PublicationSigner
  readonly secret?: () => string
  /** More jwtBuilders with the same key. None of their keys is published yet. */
  readonly newBuilders?: readonly string[]
  /** How long each read of a secret takes. */
  readonly secretMilliseconds?: number
}

/** A record as version 0.1 writes and serves it: all keys that have not ended, even if an attacker wrote them. */
async function shownBefore(store: RecordStore, now: number): Promise<string[]> {
  const [record] = await store.read([name])
  const { keys } = JSON.parse(String(record?.fields['jwks'])) as { keys: { kid: string; until?: number }[] }
  return keys.filter(({ until = Infinity }) => now < until).map(({ kid }) => kid)
}

async function deploymentOf01(t: TestContext, { more = [], ...options }: Options = {}) {
  const { publicationKey = thePublicationKey, secret = () => JSON.stringify({ keys: [{ ...key, kid: 'ours' }] }) } =
    options
  const { newBuilders = [], secretMilliseconds = 0 } = options
  let time = start
  const log: LogEvent[] = []
  const store = memoryRecords({ maximumRecords: 100 })
  const ours = { ...publicKey, kid: 'ours', use: 'sig', alg: 'ES256', publishedAt: start - 1e9 }
  const jwks = JSON.stringify({ keys: [ours, ...more] })
  await store.write(name, { version: '0.1', removableFrom: start + 1e12, fields: { jwks } }, undefined)
  const elements: RawElements = {
    ...exampleElements(exampleIssuer),
    jwtBuilder: Object.fromEntries(
      [...newBuilders, 'theBuilder'].map((id) => [id, { signatureAlgorithm: 'ES256', keyStoreRef: 'theKeys' }]),
    ),
    keyStore: { theKeys: { location: 'tokenwell/local/the-keys' } },
  }
  const ports = withDefaultPorts({
    ...{ store, publicationKey, elements: await elementStoreOf(t, elements) },
    secretStore: singleVersionSecrets(async () => {
      time += secretMilliseconds
      return new Secret(secret())
    }),
    ...{ connections: unchangingConnections(plainConnection), secrets: thePassword, signers: theSigners },
    tokenEndpoint: { post: () => assert.fail('no token is asked for here') },
    now: () => time,
    pause: async (milliseconds, signal) => {
      // A pause that can be cancelled is a time limit, and no limit is reached in this test.
      if (signal) return await new Promise<void>(() => {})
      time += milliseconds
    },
    log: (event) => void log.push(event),
  })
  return {
    ...{ store, log, now: () => time },
    sign: () => createBackgroundApplication(ports).signPublications(start + 55_000),
    shownBefore: () => shownBefore(store, time),
    async shownAfter(jwtBuilder = 'theBuilder') {
      const publication = await createPublicApplication(ports).readPublishedKeys(jwtBuilder, time + 2_000)
      return keysOf(publication, time).map(({ jwk }) => jwk.kid)
    },
  }
}

test('during the upgrade, both versions of publish-keys always serve a JWK set', async (t) => {
  const deployment = await deploymentOf01(t)
  assert.deepEqual(await deployment.shownBefore(), ['ours'])
  await assert.rejects(deployment.shownAfter(), PublicationRefusedError, 'the new one must not come first')
  await deployment.sign()
  assert.deepEqual(await deployment.shownBefore(), ['ours'])
  assert.deepEqual(await deployment.shownAfter(), ['ours'])
  await deployment.sign()
  assert.deepEqual(await deployment.shownAfter(), ['ours'], 'and any number of times')
})

test('a key that was appended before the upgrade is not signed', async (t) => {
  const theirs = { ...publicKey, kid: 'theirs', publishedAt: start, until: start + 1e12 }
  const deployment = await deploymentOf01(t, { more: [theirs] })
  assert.deepEqual(await deployment.shownBefore(), ['ours', 'theirs'])
  await deployment.sign()
  assert.deepEqual([await deployment.shownBefore(), await deployment.shownAfter()], [['ours'], ['ours']])
})

test('signing waits for a permission that the deployment has just granted', async (t) => {
  let calls = 0
  const deployment = await deploymentOf01(t, {
    publicationKey: {
      publicKey: thePublicationKey.publicKey,
      async sign(bytes) {
        if (calls++ < 3) throw new PublicationKeyError('The KMS key can not be used (AccessDeniedException).')
        return await thePublicationKey.sign(bytes)
      },
    },
  })
  await deployment.sign()
  assert.deepEqual([calls, deployment.now() - start], [4, 9_000])
  assert.deepEqual(await deployment.shownAfter(), ['ours'])
})

test('if the permission does not take effect, the deployment fails and the set is served as before', async (t) => {
  const sign = () => Promise.reject(new PublicationKeyError('The KMS key can not be used (AccessDeniedException).'))
  const deployment = await deploymentOf01(t, { publicationKey: { ...thePublicationKey, sign } })
  await assert.rejects(deployment.sign(), PublicationKeyError)
  assert.deepEqual(await deployment.shownBefore(), ['ours'])
})

test('if a served set cannot be signed, the deployment fails and names the jwtBuilder', async (t) => {
  const deployment = await deploymentOf01(t, {
    secret() {
      throw new SecretError('secret_missing', 'The secret does not exist.')
    },
  })
  await assert.rejects(deployment.sign(), (error: unknown) => {
    assert.ok(error instanceof UnsignedPublicationsError)
    assert.match(error.message, /theBuilder.*publication_failed.*deploy again/)
    return true
  })
  assert.equal(deployment.now(), start, 'waiting would not help')
  assert.deepEqual(await deployment.shownBefore(), ['ours'])
})

test('a deployment signs what is served first, and leaves the rest to the next reconciliation when its time is over', async (t) => {
  const newBuilders = Array.from({ length: 80 }, (_, index) => `new${index}`)
  const deployment = await deploymentOf01(t, { newBuilders, secretMilliseconds: 1_000 })
  await deployment.sign()
  assert.deepEqual(await deployment.shownAfter(), ['ours'])
  const published: string[] = []
  for (const each of newBuilders) if ((await deployment.shownAfter(each)).length > 0) published.push(each)
  assert.equal(published.length, 50)
  assert.ok(deployment.now() < start + 55_000, 'before Lambda ends the function')
})
