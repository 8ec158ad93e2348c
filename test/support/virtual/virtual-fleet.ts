import {
  type Application,
  type BackgroundApplication,
  createApplication,
  createBackgroundApplication,
} from '../../../lib/application/application.ts'
import type { ServedConnection } from '../../../lib/configuration/connection.ts'
import type { ConnectionCache } from '../../../lib/configuration/connection-cache.ts'
import { fingerprintOf } from '../../../lib/configuration/fingerprint.ts'
import type { MetadataSource } from '../../../lib/discovery/metadata-source.ts'
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

/** The time of one scheduled run: the function's timeout of 55 s less what it reserves. */
export const runMilliseconds = 52_000

export interface VirtualFleetParts {
  readonly time: VirtualTime
  readonly connections: readonly ServedConnection[]
  readonly tokenEndpoint: TokenEndpoint
  readonly store: RecordStore
  readonly random: () => number
  readonly events?: EventBus
  readonly metadataSource?: MetadataSource
}

/** Processes over one store, on one virtual clock. Only the far end is not real. */
export interface VirtualFleet {
  /** How often a process read the elements of a connection. */
  elementReads(): number
  /** A process that serves callers. */
  caller(): Application
  /** A process that serves the schedule or an event. */
  renewer(): BackgroundApplication
}

export interface ConnectionTraits {
  readonly name: string
  readonly server: string
  readonly idleMilliseconds?: number
  readonly maximumConcurrency?: number
}

/** A connection that is kept warm. The servers recognize it by its one scope, which is its name. */
export function warmConnection(traits: ConnectionTraits): ServedConnection {
  const { name, server, idleMilliseconds = 86_400_000, maximumConcurrency = 10 } = traits
  const { parameters, authorizationServer } = plainConnection
  const tokenEndpoint = `https://${server}.example.com/token`
  return {
    ...plainConnection,
    name,
    parameters: { ...parameters, scope: [name] },
    authorizationServer: { ...authorizationServer, id: server, tokenEndpoint, maximumConcurrency },
    warming: { authorizationServer: server, maximumConcurrency, idleMilliseconds, maximumVariants: 20 },
  }
}

export function createVirtualFleet(parts: VirtualFleetParts): VirtualFleet {
  const { time, tokenEndpoint, store, random, events, metadataSource } = parts
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
      ...(metadataSource && { metadataSource }),
    })
  return {
    elementReads: reads,
    caller: () => createApplication(ports()),
    renewer: () => createBackgroundApplication(ports()),
  }
}

/** The servers don't verify its assertions. */
const aSigner: Signer = { sign: async () => new Secret('some assertion') }

function countedConnections(all: readonly ServedConnection[]) {
  const known = new Map(
    all.map((connection) => [connection.name, { connection, fingerprint: fingerprintOf(connection) }]),
  )
  let count = 0
  async function get(name: string) {
    count++
    const found = known.get(name)
    if (!found) throw new Error(`there is no connection ${name}`)
    return found
  }
  const has = (name: string, fingerprint: string) => known.get(name)?.fingerprint === fingerprint
  const isDisabled = () => Promise.resolve(false)
  return {
    connections: { get, readAgain: get, has, isDisabled, peek: () => undefined } satisfies ConnectionCache,
    reads: () => count,
  }
}

/** Remembers digests. An HMAC is a sixth of what a renewal costs in these tests, and there are a million in a day. */
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

/** Random numbers that are the same in each run: at least 0, less than 1. */
export function seededRandom(seed = 42): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
