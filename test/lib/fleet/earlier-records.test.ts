import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TokenRequest } from '../../../lib/access-token/token.ts'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import {
  createApplication,
  createBackgroundApplication,
  createPublicApplication,
} from '../../../lib/application/application.ts'
import { createConnectionCache, type Fingerprints } from '../../../lib/configuration/connection-cache.ts'
import { createAuthenticRecords, type EarlierRecords } from '../../../lib/fleet/authentic-records.ts'
import { createFingerprints } from '../../../lib/fleet/fingerprints.ts'
import { createFleetRecords } from '../../../lib/fleet/fleet-records.ts'
import {
  connectionRecordName,
  type RecordStore,
  readRecordName,
  recordNameText,
  type StoredRecord,
} from '../../../lib/fleet/record-store.ts'
import { createSealing, type Sealing, withoutSealing } from '../../../lib/fleet/sealing.ts'
import { createSecretsVersion } from '../../../lib/fleet/secrets-version.ts'
import { CoolingDownError } from '../../../lib/get-token/token-error.ts'
import { PublicationRefusedError } from '../../../lib/key-lifecycle/publication-store.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import type { TokenEndpoint } from '../../../lib/token-endpoint/token-endpoint.ts'
import { exampleIssuer, localDeployment } from '../../support/elements/element-store.ts'
import { exampleElements, type RawElements } from '../../support/elements/elements.ts'
import { withDefaultPorts } from '../../support/virtual/default-ports.ts'
import { changeableElements } from '../../support/virtual/tokens-in-virtual-time.ts'
import { plainFingerprints, thePassword, theSigners } from '../../support/virtual/virtual-ports.ts'

/*
 * An instance of the previous version and one of the next version share a cache. Commit 27f9df4 wrote the records beside this file, with
 * the steps of `replay`. If one of these tests fails, such instances don't understand each other.
 */

type Records = Readonly<Record<string, StoredRecord>>

interface Recorded {
  /** The records while the old elements are still active and a token for the new ones is staged. */
  readonly whileStaged: Records
  readonly atTheEnd: Records
  /** Milliseconds since the epoch. */
  readonly endedAt: number
}

const recorded: Recorded = JSON.parse(readFileSync(join(import.meta.dirname, 'earlier-records.json'), 'utf8'))
const startedAt = 1_800_000_000_000
const cacheSecret = new Secret(JSON.stringify({ seed: 'a seed that is no secret: the records of this test use it' }))

function elementsWith(oAuth: Record<string, unknown>): RawElements {
  const elements = exampleElements(exampleIssuer, { oAuth, endpoint: { warmIdle: '1h' } })
  const serverNamed = (name: string) => ({
    tokenEndpoint: `https://${name}.example.com/token`,
    issuer: `https://${name}.example.com`,
  })
  const configFor = (name: string) => ({ authServerRef: name, jwtAuthenticationTokenRef: 'theTokenConfig' })
  const { authorizationServer, oAuthConfig, endpointConnection } = elements
  return {
    ...elements,
    authorizationServer: { ...authorizationServer, refused: serverNamed('refused'), down: serverNamed('down') },
    oAuthConfig: { ...oAuthConfig, refused: configFor('refused'), down: configFor('down') },
    endpointConnection: {
      ...endpointConnection,
      refused: { authenticationConfigRef: 'refused' },
      down: { authenticationConfigRef: 'down' },
    },
  }
}

interface ProcessOptions {
  readonly store: RecordStore
  readonly at: number
  readonly earlierRecords?: EarlierRecords
  readonly fingerprints?: Fingerprints
}

/** Node.js computes digests and seals in threads. One at a time, two tokens that are obtained together always come in the same order. */
function inTurn({ digest, authenticate, verify, fingerprint, seal, open }: Sealing): Sealing {
  let last: Promise<unknown> = Promise.resolve()
  const queued =
    <Words extends readonly unknown[], Result>(work: (...words: Words) => Promise<Result>) =>
    (...words: Words) => {
      const result = last.then(() => work(...words))
      last = result.catch(() => undefined)
      return result
    }
  return {
    digest: queued(digest),
    authenticate: queued(authenticate),
    verify: queued(verify),
    fingerprint,
    seal: queued(seal),
    open: queued(open),
  }
}

/** A process on a clock that only pauses move. A pause with a signal is a time limit, and no test reaches one. */
function createProcess({ store, at, earlierRecords = '0.1', ...options }: ProcessOptions) {
  let time = at
  let ids = 0
  const asked: string[] = []
  const now = () => time
  const pause = async (milliseconds: number, signal?: AbortSignal) => {
    if (signal) return await new Promise<void>(() => {})
    time += milliseconds
  }
  const tokenEndpoint: TokenEndpoint = {
    async post({ id }) {
      asked.push(id)
      if (id === 'down') return { status: 503, body: '' }
      if (id === 'refused')
        return { status: 401, body: '{"error":"invalid_client","error_description":"no such client"}' }
      const number = asked.filter((each) => each === id).length - 1
      return { status: 200, body: `{"access_token":"token-${number}","token_type":"Bearer","expires_in":3600}` }
    },
  }
  const elements = changeableElements(elementsWith({}))
  const sealing = inTurn(createSealing({ ...thePassword, get: async () => cacheSecret }, 'tokenwell/cache'))
  const { fingerprints = createFingerprints({ sealing, earlierRecords }) } = options
  const ports = withDefaultPorts({
    connections: createConnectionCache({ elements, deployment: localDeployment, fingerprints, now, pause, log() {} }),
    ...{ sealing, earlierRecords },
    randomId: () => String(ids++).padStart(22, '0'),
    ...{ elements, store, tokenEndpoint, now, pause },
    ...{ secrets: thePassword, signers: theSigners, log() {} },
  })
  const application = createApplication(ports)
  const background = createBackgroundApplication(ports)
  return {
    asked,
    now,
    application: {
      getToken: (request: Omit<TokenRequest, 'further'>) =>
        application.getToken({ caller: 'direct', ...request, further: {} }, now() + 25_000),
    },
    answerEvent: (event: Parameters<typeof background.answerEvent>[0]) => background.answerEvent(event, now() + 55_000),
    readPublishedKeys: (jwtBuilder: string) =>
      createPublicApplication(ports).readPublishedKeys(jwtBuilder, now() + 5_000),
    changeElements: (oAuth: Record<string, unknown>) => elements.change(elementsWith(oAuth)),
    pass(milliseconds: number) {
      time += milliseconds
    },
  }
}

async function storeOf(records: Records): Promise<RecordStore> {
  const store = memoryRecords({ maximumRecords: 100 })
  for (const [name, record] of Object.entries(records)) await store.write(nameOf(name), record, undefined)
  return store
}

function nameOf(text: string) {
  return readRecordName(text) ?? assert.fail(text)
}

/** The steps that wrote the records: two tokens, a refusal, an outage, a rejection, a changed secret and changed elements. */
async function replay() {
  const records = memoryRecords({ maximumRecords: 100 })
  const written = new Map<string, StoredRecord>()
  let whileStaged: Records | undefined
  const store: RecordStore = {
    ...records,
    async write(name, record, expected) {
      const isWritten = await records.write(name, record, expected)
      if (isWritten) written.set(recordNameText(name), record)
      if (record.fields['nextSealedToken'] !== undefined) whileStaged ??= Object.fromEntries(written)
      return isWritten
    },
  }
  const { application, answerEvent, changeElements, pass, now } = createProcess({ store, at: startedAt })
  await application.getToken({ connection: 'conn' })
  pass(50)
  const { token } = await application.getToken({ connection: 'conn', audience: 'other' })
  pass(50)
  await assert.rejects(application.getToken({ connection: 'refused' }), CoolingDownError)
  pass(50)
  await assert.rejects(application.getToken({ connection: 'down' }), CoolingDownError)
  pass(50 + 15_000)
  await answerEvent({ type: 'TokenRejected', connection: 'conn', tokenId: token.id })
  pass(50)
  await answerEvent({ type: 'SecretChanged', name: 'tokenwell/local/some-password' })
  pass(50)
  changeElements({ scope: 'new' })
  await answerEvent({ type: 'ConnectionChanged', connection: 'conn' })
  pass(50)
  return { whileStaged: whileStaged ?? {}, atTheEnd: Object.fromEntries(written), endedAt: now() }
}

/** Fields that 0.1 does not write. */
const laterFields = ['mac', 'changedAt', 'idleLifetimes', 'firstGeneration']

/** For each variant, 0.1 writes only its record and its last use. */
function withoutCallers(variants: string): unknown {
  return JSON.parse(variants, (_name, member: unknown) =>
    Array.isArray(member) && typeof member[0] === 'string' ? member.slice(0, 2) : member,
  )
}

/** Each version words its messages in its own way. The code, the error and the fault are what instances understand. */
function withoutWording(failure: string): unknown {
  const { message, ...rest } = JSON.parse(failure)
  assert.equal(typeof message, 'string')
  return rest
}

/** Leaves out random values, and opens seals. */
async function comparable(records: Records) {
  const sealing = createSealing({ ...thePassword, get: async () => cacheSecret }, 'tokenwell/cache')
  const entries = Object.entries(records).map(async ([name, { version, fields, ...record }]) => {
    assert.equal(version.length, 22)
    const counted = Object.entries(fields).filter(([field]) => !laterFields.includes(field))
    const opened = counted.map(async ([field, value]): Promise<[string, unknown]> => {
      if (field === 'leaseOwner') return [field, 'random']
      if (field === 'failure') return [field, withoutWording(String(value))]
      if (field === 'variants') return [field, withoutCallers(String(value))]
      if (!/sealed/i.test(field)) return [field, value]
      const token = JSON.parse((await sealing.open(nameOf(name), String(value))).reveal())
      return [field, { ...token, id: token.id.split('.')[1] }]
    })
    return [name, { ...record, fields: Object.fromEntries(await Promise.all(opened)) }]
  })
  return Object.fromEntries(await Promise.all(entries))
}

function withoutCoolDowns<Each>(records: Readonly<Record<string, Each>>): Record<string, Each> {
  return Object.fromEntries(Object.entries(records).filter(([name]) => !name.startsWith('cool-downs/')))
}

test('during an upgrade of 0.1 the same requests and events write the same records, field by field, and a MAC', async () => {
  const { whileStaged, atTheEnd, endedAt } = await replay()
  assert.equal(endedAt, recorded.endedAt)
  assert.deepEqual(
    await comparable(withoutCoolDowns(whileStaged)),
    await comparable(withoutCoolDowns(recorded.whileStaged)),
  )
  const published = Object.entries(recorded.atTheEnd).filter(([name]) => name.startsWith('keys/'))
  assert.deepEqual(
    await comparable(withoutCoolDowns({ ...atTheEnd, ...Object.fromEntries(published) })),
    await comparable(withoutCoolDowns(recorded.atTheEnd)),
  )
})

test('earlier tokens are handed out, and staged tokens once their elements are active', async () => {
  const early = createProcess({ store: await storeOf(recorded.whileStaged), at: recorded.endedAt })
  const { token, source } = await early.application.getToken({ connection: 'conn' })
  assert.deepEqual([token.accessToken.reveal(), source], ['token-0', 'cache'])

  const late = createProcess({ store: await storeOf(recorded.atTheEnd), at: recorded.endedAt })
  late.changeElements({ scope: 'new' })
  const requests = [{ connection: 'conn' }, { connection: 'conn', audience: 'other' }]
  const tokens = await Promise.all(requests.map((request) => late.application.getToken(request)))
  assert.deepEqual(tokens.map((each) => [each.token.accessToken.reveal(), each.source]).sort(), [
    ['token-3', 'cache'],
    ['token-4', 'cache'],
  ])
  assert.deepEqual([...early.asked, ...late.asked], [])
})

test('cool-downs of an earlier version had wider names: no request waits for them', async () => {
  const { application, asked } = createProcess({ store: await storeOf(recorded.atTheEnd), at: recorded.endedAt })
  await assert.rejects(application.getToken({ connection: 'refused' }))
  assert.deepEqual(asked, ['refused'])
})

test("failures of an earlier version don't count: each token is requested once more", async () => {
  const { 'secrets/secrets#mark': _mark, ...records } = recorded.atTheEnd
  const { application, asked } = createProcess({ store: await storeOf(records), at: recorded.endedAt })
  for (const connection of ['refused', 'down']) await assert.rejects(application.getToken({ connection }))
  assert.deepEqual([...new Set(asked)], ['refused', 'down'])
})

type Release = '0.1' | 'upgrading' | 'upgraded'

/** A store as 0.1 uses it: 0.1 knows no MAC, and its writes drop unknown fields. */
function usedBy01(store: RecordStore): RecordStore {
  const without = ({ fields: { mac: _mac, clearedAt: _cleared, ...fields }, ...record }: StoredRecord) => {
    return { ...record, fields }
  }
  return {
    read: async (names) => (await store.read(names)).map((record) => record && without(record)),
    write: (name, record, expected) => store.write(name, without(record), expected),
    due: (...question) => store.due(...question),
  }
}

/** Gets tokens from instances of these releases, one after the other, each with an empty memory. */
async function ask(store: RecordStore, at: number, releases: readonly Release[]): Promise<readonly string[]> {
  const sources: string[] = []
  for (const release of releases) {
    const own = release === '0.1' ? { store: usedBy01(store), fingerprints: plainFingerprints } : { store }
    const earlierRecords = release === 'upgraded' ? 'none' : '0.1'
    const { application } = createProcess({ ...own, at, earlierRecords })
    for (const request of [{ connection: 'conn' }, { connection: 'conn', audience: 'other' }])
      sources.push((await application.getToken(request)).source)
  }
  return sources
}

const minute = 60_000
const fromCache = (count: number) => Array<string>(2 * count).fill('cache')

test('an upgrade makes no token a miss: 0.1 beside the next version that reads its records, that version alone, then one that does not read them', async () => {
  const store = memoryRecords({ maximumRecords: 100 })
  const at = (minutes: number) => startedAt + minutes * minute
  assert.deepEqual(await ask(store, at(0), ['0.1']), ['server', 'server'])
  // Each release notes a use again after a quarter of an hour, so that both write the records in turn.
  for (const minutes of [1, 2, 17, 18])
    assert.deepEqual(await ask(store, at(minutes), ['upgrading', '0.1', 'upgrading', '0.1']), fromCache(4))
  assert.deepEqual(await ask(store, at(33), ['0.1', 'upgrading']), fromCache(2))
  assert.deepEqual(await ask(store, at(34), ['upgraded', 'upgrading', 'upgraded', 'upgrading']), fromCache(4))
  assert.deepEqual(await ask(store, at(35), ['upgraded']), fromCache(1))
  const [record] = await store.read([connectionRecordName('conn')])
  assert.match(String(record?.fields['mac']), /^2:/)

  // From the next token on, the record has the form of the new version, for the same elements.
  assert.deepEqual(await ask(store, at(59.5), ['upgraded']), ['server', 'server'])
  const [renewed] = await store.read([connectionRecordName('conn')])
  assert.match(String(renewed?.fields['fingerprint']), /^2:[A-Za-z0-9_-]{43}$/)
  assert.equal(renewed?.fields['generation'], record?.fields['generation'])
})

test('a record of 0.1 is written again by a process that finds nothing to change in it', async () => {
  const { 'conn/connection': connection = assert.fail('there is none') } = recorded.atTheEnd
  const raw = await storeOf({ 'conn/connection': connection })
  const sealing = withoutSealing(new Uint8Array(32))
  const store = createAuthenticRecords({ store: raw, sealing, earlierRecords: '0.1', log() {} })
  const breaker = { call: <T>(_what: string, send: () => Promise<T>) => send() }
  const now = () => recorded.endedAt
  const records = createFleetRecords({ store, breaker, now, randomId: () => 'next' })
  const [known] = await records.readConnections(['conn'], now())
  assert.equal(known?.isEarlier, true)
  const after = await records.amendConnection('conn', known, (before) => before, now())
  assert.equal(after?.isEarlier, undefined)
  assert.match(String((await raw.read([connectionRecordName('conn')]))[0]?.fields['mac']), /^2:/)
  assert.equal(await records.amendConnection('conn', after, (before) => before, now()), after, 'and only once')
})

test('a version that does not read the records of 0.1 requests each token once more', async () => {
  const store = memoryRecords({ maximumRecords: 100 })
  await ask(store, startedAt, ['0.1'])
  assert.deepEqual(await ask(store, startedAt + minute, ['upgraded', 'upgraded']), [
    'server',
    'server',
    ...fromCache(1),
  ])
})

test('a secret that 0.1 has noted as changed is read again by the version that reads its records', async () => {
  const marks = { 'secrets/secrets#mark': recorded.atTheEnd['secrets/secrets#mark'] ?? assert.fail('no mark') }
  const versions = await Promise.all(
    (['0.1', 'none'] as const).map(async (earlierRecords) => {
      const sealing = withoutSealing(new Uint8Array(32))
      const store = createAuthenticRecords({ store: await storeOf(marks), sealing, earlierRecords, log() {} })
      const breaker = { call: <T>(_what: string, send: () => Promise<T>) => send() }
      return (await createSecretsVersion({ store, breaker, now: () => 1 }).read())?.version
    }),
  )
  assert.deepEqual(versions, [marks['secrets/secrets#mark'].version, ''])
})

test('other processes wait for a lease of an earlier version until it has ended', async () => {
  const [name, leased] =
    Object.entries(recorded.whileStaged).find(([, { fields }]) => 'leaseOwner' in fields) ??
    assert.fail('none is leased')
  const { leaseOwner = '', leaseUntil = 0 } = leased.fields
  const records = { ...recorded.whileStaged, [name]: { ...leased, fields: { leaseOwner, leaseUntil } } }
  const { application, asked, now } = createProcess({ store: await storeOf(records), at: recorded.endedAt })
  await application.getToken({ connection: 'conn' })
  assert.ok(now() > Number(leaseUntil), 'it made a request at once')
  assert.deepEqual(asked, ['theServer'])
})

test('keys that an earlier version published without a signature are not shown', async () => {
  const { readPublishedKeys } = createProcess({ store: await storeOf(recorded.atTheEnd), at: recorded.endedAt })
  for (const name of ['theBuilder', 'sharedKeyBuilder'])
    await assert.rejects(readPublishedKeys(name), PublicationRefusedError)
})
