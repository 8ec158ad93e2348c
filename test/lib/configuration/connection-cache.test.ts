import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileElements } from '../../../lib/adapters/files/file-elements.ts'
import { tokensOf } from '../../../lib/configuration/connection.ts'
import { createConnectionCache } from '../../../lib/configuration/connection-cache.ts'
import { ElementStoreError, type ElementStoreErrorCode } from '../../../lib/configuration/element-store.ts'
import {
  ConfigurationError,
  ConnectionDisabledError,
  UnknownConnectionError,
} from '../../../lib/configuration/finding.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import {
  configurationErrorOf,
  elementsFileOf,
  exampleIssuer,
  localDeployment,
} from '../../support/elements/element-store.ts'
import { exampleElements, type RawElements } from '../../support/elements/elements.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'
import { changeableElements } from '../../support/virtual/tokens-in-virtual-time.ts'
import { plainFingerprints } from '../../support/virtual/virtual-ports.ts'

test('a connection is resolved once at its first use and kept, even for simultaneous callers', async (t) => {
  const { connections, events } = theConnections(await elementsFileOf(t, exampleElements(exampleIssuer)))
  const [first, second] = await Promise.all([connections.get('conn'), connections.get('conn')])
  assert.equal(first, second)
  assert.equal((await connections.get('conn')).connection, first?.connection)
  assert.deepEqual(events, [{ event: 'connection_resolved', connection: 'conn', milliseconds: 5 }])
})

test('a failure is not kept: the connection works as soon as its elements are there', async (t) => {
  const path = join(await temporaryFolder(t, {}), 'elements.json')
  const { connections, events } = theConnections(path)
  await configurationErrorOf(connections.get('conn'))
  assert.deepEqual(events, [])

  await writeFile(path, JSON.stringify(exampleElements(exampleIssuer)))
  assert.equal((await connections.get('conn')).connection.name, 'conn')
})

function theConnections(path: string) {
  const events: LogEvent[] = []
  let time = 0
  const connections = createConnectionCache({
    fingerprints: plainFingerprints,
    elements: fileElements(path),
    deployment: localDeployment,
    now: () => (time += 5),
    pause: () => new Promise(() => {}),
    log: (event) => events.push(event),
  })
  return { connections, events }
}

const theFirst = exampleElements(exampleIssuer)
const theSecond = exampleElements(exampleIssuer, { oAuth: { scope: 'new' } })
const broken = exampleElements(exampleIssuer, { server: { tokenEndpoint: 'no URL' } })

interface Far {
  failure?: ElementStoreErrorCode | undefined
  reads: number
  isLate: boolean
  /** How long the last read was waited for. */
  patience: number
}

/** Elements that change, a store that fails on request, and a clock that the test moves. */
function changingConnections(first: RawElements = theFirst) {
  const elements = changeableElements(first)
  const far: Far = { reads: 0, isLate: false, patience: 0 }
  const clock = { now: 0 }
  const events: LogEvent[] = []
  const connections = createConnectionCache({
    fingerprints: plainFingerprints,
    elements: {
      ...elements,
      async get(references) {
        // The connection is read first, so this counts one read, however many round trips it takes.
        if (references.some(({ kind }) => kind === 'endpointConnection')) far.reads++
        if (far.isLate) await new Promise(() => {})
        if (far.failure) throw new ElementStoreError(far.failure, 'it fails')
        return elements.get(references)
      },
    },
    deployment: localDeployment,
    now: () => clock.now,
    // The test decides when a read is late.
    pause: (milliseconds) => {
      far.patience = milliseconds
      return far.isLate ? Promise.resolve() : new Promise(() => {})
    },
    log: (event) => events.push(event),
  })
  const scope = async (fingerprint?: string) => {
    const { connection } = await connections.get('conn', fingerprint)
    return tokensOf(connection)[0]?.parameters.scope.join(' ')
  }
  const failures = () => events.filter(({ event }) => event === 'reload_failed')
  return { elements, far, clock, connections, scope, failures }
}

/** The fingerprint that other instances use after they have read these elements. */
async function fingerprintAt(elements: RawElements): Promise<string> {
  return (await changingConnections(elements).connections.get('conn')).fingerprint
}

test('a connection without tokens is stopped within 30 s, as others are by the record of the fleet', async () => {
  const tokenless = (endpoint: object): RawElements => ({
    endpointConnection: { conn: { authenticationConfigRef: 'basic', host: 'https://api.example.com', ...endpoint } },
    authData: { basic: { user: 'alice', passwordSecret: 'tokenwell/local/basic' } },
  })
  const { elements, clock, connections } = changingConnections(tokenless({}))
  await connections.get('conn')
  elements.change(tokenless({ disabled: true }))
  clock.now = 30_000
  await assert.rejects(connections.get('conn'), ConnectionDisabledError)
})

test('elements that have changed are in force after 60 s, to the millisecond', async () => {
  const { elements, far, clock, scope } = changingConnections()
  assert.equal(await scope(), '')
  elements.change(theSecond)
  clock.now = 59_999
  assert.equal(await scope(), '')
  assert.equal(far.reads, 1)
  clock.now = 60_000
  assert.equal(await scope(), 'new')
  assert.equal(far.reads, 2)
})

test('a caller during a read of elements waits for the same read', async () => {
  const { far, clock, connections, scope } = changingConnections()
  await Promise.all(Array.from({ length: 20 }, () => scope()))
  assert.equal(far.reads, 1)
  clock.now = 60_000
  const { fingerprint } = await connections.get('conn')
  await Promise.all(Array.from({ length: 20 }, (_, index) => scope(index % 2 ? fingerprint : 'another')))
  assert.equal(far.reads, 3)
})

for (const failure of ['elements_denied', 'elements_throttled', 'elements_unreachable'] as const)
  test(`while elements can't be read again (${failure}), the last valid ones stay in use, and they are read again after 10 s`, async () => {
    const { elements, far, clock, scope, failures } = changingConnections()
    await scope()
    elements.change(theSecond)
    far.failure = failure
    clock.now = 60_000
    assert.equal(await scope(), '')
    assert.deepEqual(failures(), [{ event: 'reload_failed', connection: 'conn', code: failure, reason: 'it fails' }])
    clock.now = 69_999
    assert.equal(await scope(), '')
    assert.equal(far.reads, 2)
    far.failure = undefined
    clock.now = 70_000
    assert.equal(await scope(), 'new')
  })

test('a read of elements is waited for 3 s if there are valid ones in memory, and otherwise for 15 s', async () => {
  const { far, clock, scope, failures } = changingConnections()
  far.isLate = true
  await assert.rejects(scope(), { code: 'elements_unreachable', message: /within 15000 ms/ })
  const other = changingConnections()
  await other.scope()
  const next = await fingerprintAt(theSecond)
  other.far.isLate = true
  await assert.rejects(other.scope(next), { code: 'elements_unreachable' })
  assert.equal(other.far.patience, 15_000, 'others go by other elements')
  other.clock.now = 60_000
  assert.equal(await other.scope(), '')
  assert.deepEqual(failures(), [])
  assert.equal(clock.now, 0)
})

test('while elements have mistakes, the last valid ones stay in use', async () => {
  const { elements, clock, scope, failures } = changingConnections()
  await scope()
  elements.change(broken)
  clock.now = 60_000
  assert.equal(await scope(), '')
  const [failed] = failures()
  assert.ok(failed?.event === 'reload_failed' && failed.code === 'configuration')
  assert.match(failed.reason, /tokenEndpoint/)
  elements.change(theSecond)
  clock.now = 70_000
  assert.equal(await scope(), 'new')
})

test('a removed connection does not stay in use', async () => {
  const { elements, far, clock, scope } = changingConnections()
  await scope()
  elements.change({ ...theFirst, endpointConnection: {} })
  clock.now = 60_000
  await assert.rejects(scope(), UnknownConnectionError)
  far.failure = 'elements_unreachable'
  await assert.rejects(scope(), ElementStoreError, 'nothing is left that could serve on')
})

test('if the fleet uses another fingerprint, the elements are read at once', async () => {
  const { elements, far, connections, scope } = changingConnections()
  const { fingerprint } = await connections.get('conn')
  const next = await fingerprintAt(theSecond)
  assert.notEqual(next, fingerprint)
  elements.change(theSecond)
  assert.equal(await scope(fingerprint), '')
  assert.equal(far.reads, 1)
  assert.equal(await scope(next), 'new')
  assert.equal(far.reads, 2)
  assert.equal(await scope(next), 'new')
  assert.equal(far.reads, 2)
})

test('an instance that has read newer elements than the fleet uses its own', async () => {
  const { elements, connections } = changingConnections()
  const { fingerprint } = await connections.get('conn')
  elements.change(theSecond)
  const known = await connections.get('conn', 'of some time ago')
  assert.notEqual(known.fingerprint, fingerprint)
  assert.equal(known.fingerprint, await fingerprintAt(theSecond))
})

test("if the fleet uses newer elements and they can't be read, the old ones are not used", async () => {
  const { elements, far, clock, scope, failures } = changingConnections()
  await scope()
  const next = await fingerprintAt(theSecond)
  far.failure = 'elements_unreachable'
  await assert.rejects(scope(next), ElementStoreError)
  elements.change(broken)
  far.failure = undefined
  await assert.rejects(scope(next), ConfigurationError)
  assert.deepEqual(failures(), [])
  assert.equal(await scope(), '', 'who knows of no others goes on')
  clock.now = 60_000
  assert.equal(await scope(await fingerprintAt(theFirst)), '', 'and so does who goes by the same')
  assert.equal(failures().length, 1)
})

test('has() tells without a read whether a connection is cached', async () => {
  const { far, clock, connections } = changingConnections()
  const fingerprint = await fingerprintAt(theFirst)
  assert.equal(connections.has('conn', fingerprint), false)
  await connections.get('conn')
  assert.equal(connections.has('conn', fingerprint), true)
  assert.equal(connections.has('conn', 'another'), false)
  assert.equal(connections.has('other', fingerprint), false)
  clock.now = 60_000
  assert.equal(connections.has('conn', fingerprint), false)
  assert.equal(far.reads, 1)
})
