import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { dynamodbRecords } from '../../../lib/adapters/aws/dynamodb-records.ts'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import { createAuthenticRecords } from '../../../lib/fleet/authentic-records.ts'
import { createSecretsVersionChanger } from '../../../lib/fleet/change-secrets-version.ts'
import type { CircuitBreaker } from '../../../lib/fleet/circuit-breaker.ts'
import { createClearing } from '../../../lib/fleet/clearing.ts'
import { activated, cleared } from '../../../lib/fleet/connection-state.ts'
import { createCoolDownRegistry } from '../../../lib/fleet/cool-downs.ts'
import { createFleetRecords } from '../../../lib/fleet/fleet-records.ts'
import { own, withUse } from '../../../lib/fleet/kept-warm.ts'
import {
  clearingRecordName,
  connectionRecordName,
  coolDownRecordName,
  publishedKeysRecordName,
  type RecordFields,
  type RecordName,
  type RecordStore,
  recordNameText,
  type StoredRecord,
  secretsVersionRecordName,
  tokenRecordName,
} from '../../../lib/fleet/record-store.ts'
import { withoutSealing } from '../../../lib/fleet/sealing.ts'
import { withoutFailure, withToken } from '../../../lib/fleet/token-record.ts'
import { readPublication } from '../../../lib/key-lifecycle/publication-record.ts'
import { createPublicationStore } from '../../../lib/key-lifecycle/publication-store.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import { pointSdkAt, startDynalite } from '../../support/servers/dynalite.ts'
import { startIfThere } from '../../support/servers/real-server.ts'
import { startValkey } from '../../support/servers/valkey.ts'
import { signFields, thePublicationKey } from '../../support/virtual/publications.ts'
import { openStore } from '../adapters/valkey/open-store.ts'

/*
 * Records of tomorrow: a later version of Tokenwell has written fields that this version does not know. This version writes the record
 * in its turn, as instances of two versions do during an update or after a rollback.
 */

const stores: Readonly<Record<string, (t: TestContext) => Promise<RecordStore | undefined>>> = {
  memory: async () => memoryRecords({ maximumRecords: 100 }),
  async DynamoDB(t) {
    const server = await startDynalite(t)
    await server.createTable('records')
    pointSdkAt(t, server.endpoint)
    return dynamodbRecords({ tableName: 'records', attemptMilliseconds: 10_000 })
  },
  async Valkey(t) {
    const server = await startIfThere(t, () => startValkey(t))
    return server && openStore(server)
  },
}

const ofTomorrow: RecordFields = { sealedProof: 'eyJ"東京', boundUntil: 1_800_000_000_000.5, zero: 0, empty: '' }
const now = () => Date.now()
const waitUntil = Infinity
const conn = connectionRecordName('conn')
const token = tokenRecordName('conn', 'digest')
const elements = { authorizationServer: 'server', maximumConcurrency: 1, idleMilliseconds: 60_000, maximumVariants: 9 }
const sealing = withoutSealing(randomBytes(32))
const digest = { ...sealing, digest: async () => 'digest' }
const breaker: CircuitBreaker = { call: (_what, send) => send() }

/** An instance of this version. */
function openInstance(raw: RecordStore) {
  const events: LogEvent[] = []
  const log = (event: LogEvent) => void events.push(event)
  const store = createAuthenticRecords({ store: raw, sealing, earlierRecords: 'none', log })
  const ports = { store, breaker, now, log, randomId: () => randomUUID(), sealing: digest }
  return {
    ...{ events, store },
    records: createFleetRecords(ports),
    coolDowns: createCoolDownRegistry(ports),
    secrets: createSecretsVersionChanger(ports),
    clearing: createClearing(ports),
    publications: createPublicationStore({ ...ports, store: raw, publicationKey: thePublicationKey }),
  }
}

type Instance = ReturnType<typeof openInstance>

interface Kind {
  readonly name: RecordName
  /** The fields of today. */
  readonly fields: RecordFields
  /** What this version writes into such a record. */
  readonly writes: readonly ((instance: Instance) => Promise<unknown>)[]
}

const newToken = { sealedToken: 'b', refreshAt: now(), expiresAt: now() + 60_000, generation: 5 }
const kinds: readonly Kind[] = [
  {
    name: token,
    fields: { sealedToken: 'a', refreshAt: now(), expiresAt: now() + 60_000, generation: 5, failure: '{}' },
    writes: [
      ({ records }) => records.amend(token, ({ record }) => ({ ...record, rejectedAt: now() }), waitUntil),
      ({ records }) => records.amend(token, ({ record }) => withToken(record, newToken), waitUntil),
      async ({ records }) => {
        // Each write goes on from the one before, as those of a lease do.
        const first = await records.write(await records.read(token, waitUntil), { leaseOwner: 'me' }, waitUntil)
        assert.ok(typeof first === 'object')
        await records.write(first, withoutFailure(first.record), waitUntil)
      },
    ],
  },
  {
    name: conn,
    fields: { generation: 5, fingerprint: '2:x', variants: '[]', firstGeneration: 5 },
    writes: [
      ({ records }) =>
        records.amendConnection(
          'conn',
          undefined,
          (before) => (before ? cleared(before, now()) : activated(undefined, { fingerprint: 'y' }, now())),
          waitUntil,
        ),
      async ({ records }) => {
        const [known] = await records.readConnections(['conn'], waitUntil)
        const plan = { fingerprint: '2:x', warming: elements }
        const after = await records.amendConnection('conn', known, (it) => activated(it, plan, now()), waitUntil)
        const use = { id: token.id, caller: own, lifetimeMilliseconds: 60_000 }
        await records.amendConnection('conn', after, (it) => it && withUse(it, use, now()), waitUntil)
      },
    ],
  },
  {
    name: coolDownRecordName('digest'),
    fields: { counted: '[]', liftedAt: 1 },
    writes: [
      async ({ coolDowns }) => {
        const check = await coolDowns.check({ endpoint: 'https://as.example' }, { isOwn: true })
        assert.ok(check.kind === 'clear')
        await check.pass.begin('endpoint', '{}', { baseSeconds: 1, retryAfterSeconds: 0 })
      },
      async ({ coolDowns }) => {
        const check = await coolDowns.check({ endpoint: 'https://as.example' }, { isOwn: true })
        assert.ok(check.kind === 'clear')
        await check.pass.end()
      },
      ({ coolDowns }) => coolDowns.reserve('https://as.example', 3),
    ],
  },
  {
    name: secretsVersionRecordName,
    fields: { changedAt: 1 },
    writes: [
      ({ secrets }) => secrets.change(waitUntil),
      ({ secrets }) => secrets.revoke({ jwtBuilder: 'builder', kid: 'k', revokedAt: now() }, waitUntil),
    ],
  },
  {
    name: clearingRecordName,
    fields: { clearedAt: 1 },
    writes: [({ clearing }) => clearing.begin(waitUntil), ({ clearing }) => clearing.giveUp(waitUntil)],
  },
]

/** The fields of a record that authenticates. Empty for any other. */
async function fieldsIn({ store }: Instance, name: RecordName): Promise<StoredRecord | undefined> {
  return (await store.read([name]))[0]
}

for (const [place, open] of Object.entries(stores))
  for (const { name, fields, writes } of kinds)
    test(`${place}: fields that a later version has written into ${recordNameText(name)} stay there when this version writes it`, async (t) => {
      const raw = await open(t)
      if (!raw) return
      const instance = openInstance(raw)
      const removableFrom = now() + 3_600_000
      const written = { version: 'of-tomorrow', removableFrom, fields: { ...fields, ...ofTomorrow } }
      assert.equal(await instance.store.write(name, written, undefined), true)
      let version = 'of-tomorrow'
      for (const write of writes) {
        await write(instance)
        const after = (await fieldsIn(instance, name)) ?? assert.fail('the record is gone')
        assert.notEqual(after.version, version, 'this version has written it')
        version = after.version
        const kept = Object.fromEntries(Object.entries(after.fields).filter(([field]) => field in ofTomorrow))
        assert.deepEqual(kept, ofTomorrow)
      }
      assert.deepEqual(instance.events, [], 'its MAC is right')
    })

for (const [place, open] of Object.entries(stores))
  test(`${place}: fields of a later version stay in a publication, and are signed with it`, async (t) => {
    const raw = await open(t)
    if (!raw) return
    const { publications } = openInstance(raw)
    const name = publishedKeysRecordName('builder')
    await raw.write(name, await signFields('builder', { jwks: '{"keys":[]}', ...ofTomorrow }, now()), undefined)
    await publications.change('builder', async () => ({ kind: 'shared_key', algorithm: 'HS256' }), waitUntil)
    const [after] = await raw.read([name])
    assert.ok(after)
    const found = readPublication('builder', after, await thePublicationKey.publicKey(), now())
    assert.ok(found.kind === 'signed')
    assert.deepEqual(found.publication, { kind: 'shared_key', algorithm: 'HS256' })
    assert.deepEqual(found.laterFields, ofTomorrow)
  })

test('fields without a valid MAC or signature are not kept: a writer to the table could have made them', async () => {
  const raw = memoryRecords({ maximumRecords: 100 })
  const instance = openInstance(raw)
  const removableFrom = now() + 3_600_000
  for (const { name, fields, writes } of kinds) {
    const forged = {
      version: 'forged',
      removableFrom,
      fields: { ...fields, ...ofTomorrow, mac: `2:${'A'.repeat(43)}` },
    }
    await raw.write(name, forged, (await raw.read([name]))[0]?.version)
    await writes[0]?.(instance)
    const after = await fieldsIn(instance, name)
    assert.notEqual(after?.version, 'forged')
    for (const field of Object.keys(ofTomorrow)) assert.equal(after?.fields[field], undefined, recordNameText(name))
  }
  const name = publishedKeysRecordName('builder')
  const signed = await signFields('builder', { jwks: '{"keys":[]}' }, now())
  await raw.write(name, { ...signed, fields: { ...signed.fields, ...ofTomorrow } }, undefined)
  await instance.publications.change('builder', async () => ({ kind: 'shared_key', algorithm: 'HS256' }), waitUntil)
  const fields = (await raw.read([name]))[0]?.fields ?? {}
  assert.deepEqual(Object.keys(fields).sort(), ['sharedKey', 'signature', 'signedAt'])
})
