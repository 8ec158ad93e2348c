import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import { createBackgroundApplication } from '../../../lib/application/application.ts'
import { EventBusError } from '../../../lib/events/event-bus.ts'
import { publishedKeysRecordName, type RecordStore, tokenRecordName } from '../../../lib/fleet/record-store.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { generateKey } from '../../../lib/signing/key-algorithm.ts'
import { elementStoreOf, exampleIssuer } from '../../support/elements/element-store.ts'
import { exampleElements, type RawElements } from '../../support/elements/elements.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'
import { withDefaultPorts } from '../../support/virtual/default-ports.ts'
import { singleVersionSecrets } from '../../support/virtual/secret-stores.ts'
import { thePassword, theSigners, unchangingConnections } from '../../support/virtual/virtual-ports.ts'

/* Lambda freezes a function as soon as it has answered. Work that is still running then ends much later, or never. */

const slowMilliseconds = 100
const name = publishedKeysRecordName('theBuilder')
const elements: RawElements = {
  ...exampleElements(exampleIssuer),
  jwtBuilder: { theBuilder: { keyStoreRef: 'theKeys' } },
  keyStore: { theKeys: { location: 'tokenwell/local/the-keys' } },
}

function portsWith(store: RecordStore) {
  const pem = generateKey('RS256', 2048).export({ type: 'pkcs8', format: 'pem' }).toString()
  return withDefaultPorts({
    store,
    secretStore: singleVersionSecrets(async () => {
      await setTimeout(slowMilliseconds)
      return new Secret(pem)
    }),
    ...{ connections: unchangingConnections(plainConnection), secrets: thePassword, signers: theSigners },
    tokenEndpoint: { post: () => assert.fail('no token is asked for here') },
    ...{ now: Date.now, random: () => 0, log() {} },
    pause: (milliseconds, signal) => setTimeout(milliseconds, undefined, { signal }).catch(() => {}),
  })
}

test('keys are published before an event fails, even if the bus failed earlier', async (t) => {
  const store = memoryRecords({ maximumRecords: 10 })
  const background = createBackgroundApplication({
    ...portsWith(store),
    elements: await elementStoreOf(t, elements),
    events: { isHeard: true, raise: () => Promise.reject(new EventBusError('the bus is down')) },
  })
  const event = { type: 'ElementChanged', kind: 'jwtBuilder', id: 'theBuilder' } as const
  await assert.rejects(background.answerEvent(event, Date.now() + 10_000), EventBusError)
  const [record] = await store.read([name])
  assert.ok(record, 'nothing is published')
})

test('a warm run that fails ends after the trials of new keys', async (t) => {
  const records = memoryRecords({ maximumRecords: 10 })
  let readsOfKeys = 0
  const background = createBackgroundApplication({
    ...portsWith({
      ...records,
      due: async () => [name, tokenRecordName('conn', 'A'.repeat(43))],
      async read(names) {
        if (names.every(({ group }) => group !== 'keys')) throw new TypeError('a fault of ours')
        await setTimeout(slowMilliseconds)
        readsOfKeys++
        return await records.read(names)
      },
    }),
    elements: await elementStoreOf(t, elements),
  })
  await assert.rejects(background.warmTokens(Date.now() + 50_000), { name: 'TypeError' })
  assert.equal(readsOfKeys, 1)
})
