import {
  type Application,
  type BackgroundApplication,
  createApplication,
  createBackgroundApplication,
} from '../../../lib/application/application.ts'
import { type Connection, fingerprintOf } from '../../../lib/configuration/connection.ts'
import type { ConnectionCache } from '../../../lib/configuration/connection-cache.ts'
import type { EventBus } from '../../../lib/events/event-bus.ts'
import type { RecordStore } from '../../../lib/fleet/record-store.ts'
import { type Sealing, withoutSealing } from '../../../lib/fleet/sealing.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import type { Signer } from '../../../lib/signing/signer.ts'
import type { TokenEndpoint } from '../../../lib/token-endpoint/token-endpoint.ts'
import { plainConnection } from '../elements/plain-connection.ts'
import { withDefaultPorts } from './default-ports.ts'
import { someTokenMemory } from './some-token.ts'
import { thePassword, theSigners } from './virtual-ports.ts'
import type { VirtualTime } from './virtual-time.ts'

/** Of a run of the schedule: the function's time-out of 55 s less what it keeps back. */
export const runMilliseconds = 52_000

export interface VirtualFleetParts {
  readonly time: VirtualTime
  readonly connections: readonly Connection[]
  readonly tokenEndpoint: TokenEndpoint
  readonly store: RecordStore
  readonly random: () => number
  readonly events?: EventBus
}

/** Processes over one store, on one virtual clock; only the far end is not real. */
export interface VirtualFleet {
  /** How often one of them asked for the elements of a connection. */
  elementReads(): number
  /** One that callers ask. */
  caller(): Application
  /** One that the schedule or an event calls. */
  renewer(): BackgroundApplication
}

export interface ConnectionTraits {
  readonly name: string
  readonly server: string
  readonly idleMilliseconds?: number
  readonly maximumConcurrency?: number
}

/** A connection that is kept warm. Its only scope is its name, which the servers recognize. */
export function warmConnection(traits: ConnectionTraits): Connection {
  const { name, server, idleMilliseconds = 86_400_000, maximumConcurrency = 10 } = traits
  const { parameters, authorizationServer } = plainConnection
  const tokenEndpoint = `https://${server}.example.com/token`
  return {
    ...plainConnection,
    name,
    parameters: { ...parameters, scope: [name] },
    authorizationServer: { ...authorizationServer, id: server, tokenEndpoint, maximumConcurrency },
    warming: { idleMilliseconds, maximumVariants: 20 },
  }
}

export function createVirtualFleet(parts: VirtualFleetParts): VirtualFleet {
  const { time, tokenEndpoint, store, random, events } = parts
  const { now, pause } = time
  const { connections, reads } = countedConnections(parts.connections)
  const sealing = onceDigested(withoutSealing(new Uint8Array(32)))
  let ids = 0
  const ports = () =>
    withDefaultPorts({
      ...{ connections, tokenEndpoint, store, sealing, random, now, pause },
      signers: { ...theSigners, current: () => Promise.resolve(aSigner) },
      secrets: thePassword,
      memory: someTokenMemory(10_000),
      memoryMaximumSeconds: 30,
      randomId: () => String(ids++).padStart(22, '0'),
      log() {},
      ...(events && { events }),
    })
  return {
    elementReads: reads,
    caller: () => createApplication(ports()),
    renewer: () => createBackgroundApplication(ports()),
  }
}

/** What it signs is not looked at. */
const aSigner: Signer = { sign: async () => new Secret('some assertion') }

function countedConnections(all: readonly Connection[]) {
  const known = new Map(
    all.map((connection) => [connection.name, { connection, fingerprint: fingerprintOf(connection) }]),
  )
  let count = 0
  async function get(name: string) {
    count++
    const found = known.get(name)
    if (!found) throw new Error(`there is no ${name}`)
    return found
  }
  const has = (name: string, fingerprint: string) => known.get(name)?.fingerprint === fingerprint
  const isDisabled = () => Promise.resolve(false)
  return { connections: { get, readAgain: get, has, isDisabled } satisfies ConnectionCache, reads: () => count }
}

/** An HMAC is a sixth of what a renewal costs here, and there are a million in a day. */
function onceDigested(sealing: Sealing): Sealing {
  const digests = new Map<string, Promise<string>>()
  return {
    ...sealing,
    digest(text) {
      const digest = digests.get(text) ?? sealing.digest(text)
      digests.set(text, digest)
      return digest
    },
  }
}

/** Chance that is the same in each run. From 0 up to 1. */
export function seededRandom(seed = 42): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
