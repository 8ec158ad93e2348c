import type { CallerRequest } from '../../../lib/access-token/token.ts'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import { createApplication, createBackgroundApplication } from '../../../lib/application/application.ts'
import type { ServedConnection } from '../../../lib/configuration/connection.ts'
import { type ConnectionCache, createConnectionCache } from '../../../lib/configuration/connection-cache.ts'
import type { ElementStore } from '../../../lib/configuration/element-store.ts'
import { readElement } from '../../../lib/configuration/read-element.ts'
import type { EventBus } from '../../../lib/events/event-bus.ts'
import { createFingerprints } from '../../../lib/fleet/fingerprints.ts'
import type { RecordStore } from '../../../lib/fleet/record-store.ts'
import { withoutSealing } from '../../../lib/fleet/sealing.ts'
import type { Outcome } from '../../../lib/get-token/connection-status.ts'
import type { HandedOutToken } from '../../../lib/get-token/get-token.ts'
import type { RejectionOutcome } from '../../../lib/get-token/reject-token.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import type { IncomingEvent } from '../../../lib/renewal/incoming-event.ts'
import type { WarmRun } from '../../../lib/renewal/warm-tokens.ts'
import type { SecretCache } from '../../../lib/secret/secret-cache.ts'
import type { KeyService } from '../../../lib/signing/key-service.ts'
import type { SignerCache } from '../../../lib/signing/signer-cache.ts'
import type { TokenEndpointAnswer } from '../../../lib/token-endpoint/token-endpoint.ts'
import { localDeployment } from '../elements/element-store.ts'
import type { RawElements } from '../elements/elements.ts'
import { plainConnection } from '../elements/plain-connection.ts'
import { withDefaultPorts } from './default-ports.ts'
import {
  thePassword,
  theSigners,
  unchangingConnections,
  type VirtualEndpoint,
  type VirtualRequest,
  virtualTokenEndpoint,
} from './virtual-ports.ts'
import { createVirtualTime, type VirtualTime } from './virtual-time.ts'

export interface TokensInVirtualTime {
  readonly time: VirtualTime
  readonly store: RecordStore
  readonly requests: readonly VirtualRequest[]
  readonly events: readonly LogEvent[]
  get(request?: Partial<CallerRequest>, deadlineMilliseconds?: number): Promise<HandedOutToken>
  /**
   * The outcome of the last token requests of the only connection, as the list of connections shows it. Needs
   * `elements`.
   */
  outcome(): Promise<Outcome | undefined>
  /** Rejects a token as `DELETE` does. Where events are heard, it raises one. */
  delete(tokenId: string): Promise<RejectionOutcome>
  /**
   * Answers an event as a separate function does, which no caller waits for. It shares only the clock and the token
   * endpoint with the callers' process.
   */
  answer(event: IncomingEvent, deadlineMilliseconds?: number): Promise<void>
  warm(deadlineMilliseconds?: number): Promise<WarmRun>
}

export interface TokensInVirtualTimeOptions {
  readonly connection?: ServedConnection
  readonly latency?: number
  /** How far the clock of this process is ahead of the fleet's. A test may change it. */
  readonly clock?: { aheadMilliseconds: number }
  readonly random?: () => number
  /** How long a read of the shared cache takes. It returns what was there when the read began. */
  readonly cacheLatency?: number
  /** Another process, which forms a fleet with this one. */
  readonly fleet?: TokensInVirtualTime
  /** The shared store. By default it is memory that never fails. */
  readonly store?: RecordStore
  /** The elements as this process sees them, if they change. */
  readonly connections?: ConnectionCache
  /** The same, as an element store. */
  readonly elements?: ElementStore
  readonly secrets?: SecretCache
  readonly signers?: SignerCache
  readonly keyService?: KeyService
  readonly memoryMaximumSeconds?: number
  readonly bus?: EventBus
}

/** All of get-token on a virtual clock. Only the token endpoint is not real. */
export function createTokensInVirtualTime(
  endpoint: VirtualEndpoint,
  options: TokensInVirtualTimeOptions = {},
): TokensInVirtualTime {
  const { connection = plainConnection, latency = 50, random = () => 0.5, cacheLatency = 0, fleet } = options
  const { memoryMaximumSeconds = Infinity, secrets = thePassword, signers = theSigners, bus, keyService } = options
  const time = fleet?.time ?? createVirtualTime()
  const { clock = { aheadMilliseconds: 0 } } = options
  const { pause } = time
  const now = () => time.now() + clock.aheadMilliseconds
  const requests: VirtualRequest[] = []
  const events: LogEvent[] = []
  const records = options.store ?? fleet?.store ?? memoryRecords({ maximumRecords: 1_000 })
  const store: RecordStore = {
    async read(names) {
      const found = await records.read(names)
      if (cacheLatency > 0) await pause(cacheLatency)
      return found
    },
    write: (...change) => records.write(...change),
    due: (...question) => records.due(...question),
  }
  const log = (event: LogEvent) => void events.push(event)
  const { elements = changeableElements({}) } = options
  const fingerprints = createFingerprints({ sealing: withoutSealing(new Uint8Array(32)), earlierRecords: 'none' })
  const connections = options.elements
    ? createConnectionCache({ elements, deployment: localDeployment, fingerprints, now, pause, log })
    : unchangingConnections(connection)
  const ports = () =>
    withDefaultPorts({
      elements,
      connections: options.connections ?? connections,
      signers,
      secrets,
      tokenEndpoint: virtualTokenEndpoint(endpoint, requests, time, latency),
      now,
      random,
      pause,
      log,
      store,
      memoryMaximumSeconds,
      ...(bus && { events: bus }),
      ...(keyService && { keyService }),
    })
  const application = createApplication(ports())
  const background = createBackgroundApplication(ports())
  return {
    time,
    store: records,
    requests,
    events,
    get: (request = {}, deadlineMilliseconds = 25_000) =>
      application.getToken(
        { caller: 'direct', connection: 'conn', further: {}, ...request },
        now() + deadlineMilliseconds,
      ),
    outcome: async () => (await application.listConnections(undefined)).connections[0]?.outcome,
    delete: (tokenId) => application.rejectToken('conn', tokenId),
    answer: (event, deadlineMilliseconds = 55_000) => background.answerEvent(event, now() + deadlineMilliseconds),
    warm: (deadlineMilliseconds = 52_000) => background.warmTokens(now() + deadlineMilliseconds),
  }
}

/** Elements that a test changes as an operator does. */
export function changeableElements(first: RawElements): ElementStore & { change(elements: RawElements): void } {
  let elements = first
  return {
    get: async (references) =>
      references.map((reference) => {
        const element = elements[reference.kind]?.[reference.id]
        return element && readElement(reference, element)
      }),
    ids: async (kind) => Object.keys(elements[kind] ?? {}),
    findings: async () => [],
    change(next) {
      elements = next
    },
  }
}

let issued = 0

/** A valid answer with a token that no other answer has. */
export function virtualToken(members: Record<string, unknown> = {}): TokenEndpointAnswer {
  const body = { access_token: `some-token-${issued++}`, token_type: 'Bearer', expires_in: 300, ...members }
  return { status: 200, body: JSON.stringify(body) }
}

export function virtualRefusal(error: string, more: Partial<TokenEndpointAnswer> = {}): TokenEndpointAnswer {
  return { status: 400, body: JSON.stringify({ error }), ...more }
}
