import { LRUCache } from 'lru-cache'
import { createSingleFlight } from '../base/single-flight.ts'
import type { Pause } from '../base/time.ts'
import type {
  LocatedConnection,
  LocatedServer,
  ServedConnection,
  ServerToDiscover,
} from '../configuration/connection.ts'
import { keyOf } from '../configuration/element.ts'
import { type EventBus, raiseOrLog } from '../events/event-bus.ts'
import type { Log } from '../log/log-event.ts'
import { answerReserveMilliseconds } from '../token-endpoint/token-endpoint.ts'
import { TimedOutError, TokenEndpointError } from '../token-endpoint/token-endpoint-error.ts'
import { longestMetadataMilliseconds, type MetadataSource } from './metadata-source.ts'
import type { ServerMetadata } from './server-metadata.ts'

/** A token endpoint is asked for again after this time, while a token request uses the one that is known. */
export const freshMilliseconds = 3_600_000
/** While the issuer can't be reached, or its metadata can't be used, the last good answer counts for this long. */
export const longestKeptMilliseconds = 24 * 3_600_000
/** The pause between two tries for a server whose last good answer counts. */
export const retryMilliseconds = 60_000
/** The documents at both places of the metadata. */
const longestReadMilliseconds = 2 * longestMetadataMilliseconds
/** How late a timer may fire on a busy machine. */
const longestDelayMilliseconds = 1_000
const maximumServers = 1_000

export interface TokenEndpointsDependencies {
  readonly source: MetadataSource
  readonly events: EventBus
  readonly now: () => number
  readonly pause: Pause
  readonly log: Log
}

/** What is known about a server. */
interface Known {
  readonly metadata: ServerMetadata
  readonly server: LocatedServer
  readonly readAt: number
}

interface Entry {
  known?: Known
  /** When its metadata was asked for last, with or without success. */
  askedAt: number
  /** Whether a token request failed at its token endpoint since then. */
  isDoubted: boolean
}

/** The token endpoints that the metadata of servers names. Each process asks for itself: no other process can move an endpoint. */
export type TokenEndpoints = ReturnType<typeof createTokenEndpoints>

export function createTokenEndpoints({ source, events, now, pause, log }: TokenEndpointsDependencies) {
  const entries = new LRUCache<string, Entry>({ max: maximumServers })
  const flights = createSingleFlight<Known>({ now, pause, outOfTime })
  /** The connections whose elements were held against the metadata. */
  const advised = new LRUCache<string, true>({ max: maximumServers })

  function entryOf(server: ServerToDiscover): Entry {
    const name = nameOf(server)
    const entry = entries.get(name) ?? { askedAt: -Infinity, isDoubted: false }
    entries.set(name, entry)
    return entry
  }

  /** What can be used without waiting. Undefined if the metadata must be asked for first. */
  function usable({ known, isDoubted, askedAt }: Entry): Known | undefined {
    if (!known || now() - known.readAt >= longestKeptMilliseconds) return undefined
    return isDoubted && now() - askedAt >= retryMilliseconds ? undefined : known
  }

  /** Joins the request that is under way for this server, or begins one. A caller's deadline ends its wait, not the request. */
  async function ask(connection: ServedConnection, server: ServerToDiscover, deadline: number): Promise<Known> {
    return await flights.join(nameOf(server), () => read(connection, server), deadline)
  }

  async function read({ name: connection }: ServedConnection, server: ServerToDiscover): Promise<Known> {
    const entry = entryOf(server)
    const askedAt = now()
    const about = { connection, authorizationServer: server.id }
    entry.askedAt = askedAt
    entry.isDoubted = false
    try {
      // Most elements say where the token endpoint is, and then these modules are not loaded.
      const reader = await import('./server-metadata.ts')
      const stated = await import('./stated-endpoint.ts')
      const metadata = await reader.readServerMetadata(source, server)
      const known = { metadata, server: stated.locate(server, metadata), readAt: now() }
      entry.known = known
      log({
        event: 'server_discovered',
        ...about,
        tokenEndpoint: known.server.tokenEndpoint,
        milliseconds: now() - askedAt,
      })
      return known
    } catch (error) {
      const failure = now() - askedAt > longestReadMilliseconds + longestDelayMilliseconds ? asFrozen(error) : error
      await noteFailure(failure, about)
      throw failure
    }
  }

  async function noteFailure(
    error: unknown,
    about: { readonly connection: string; readonly authorizationServer: string },
  ): Promise<void> {
    if (!(error instanceof TokenEndpointError)) return
    log({ event: 'discovery_failed', ...about, code: error.code, reason: error.message })
    const { NewHostError } = await import('./stated-endpoint.ts')
    if (!(error instanceof NewHostError)) return
    const { host } = error
    log({ event: 'token_endpoint_on_new_host', ...about, host })
    if (events.isHeard) await raiseOrLog(events, [{ type: 'TokenEndpointOnNewHost', ...about, host }], log)
  }

  /** @throws {TokenwellError} */
  async function find(connection: ServedConnection, server: ServerToDiscover, deadline: number): Promise<Known> {
    const entry = entryOf(server)
    const known = usable(entry)
    if (!known) return await ask(connection, server, deadline).catch((error) => keepOr(error, entry))
    const isOld = now() - known.readAt >= freshMilliseconds && now() - entry.askedAt >= retryMilliseconds
    // No caller waits for it. Its failure is in the log.
    if (isOld) ask(connection, server, now() + longestReadMilliseconds).catch(() => {})
    return known
  }

  /** The last good answer, if there is one that counts. */
  function keepOr(error: unknown, { known }: Entry): Known {
    if (known && error instanceof TokenEndpointError && now() - known.readAt < longestKeptMilliseconds) return known
    throw error
  }

  async function advise(connection: LocatedConnection, metadata: ServerMetadata): Promise<void> {
    const name = JSON.stringify([connection.name, connection.authentication.id, metadata.url])
    if (advised.has(name)) return
    advised.set(name, true)
    const advice = await import('./metadata-advice.ts')
    for (const { element, attribute, sentence } of advice.adviseOnMetadata(connection, metadata))
      log({
        event: 'metadata_differs',
        connection: connection.name,
        element: keyOf(element),
        attribute,
        reason: sentence,
      })
  }

  return {
    /** How long `locate` may wait for the server. */
    longestWaitMilliseconds({ authorizationServer: server }: ServedConnection): number {
      return 'discovery' in server && !usable(entryOf(server)) ? longestReadMilliseconds : 0
    },

    /**
     * The connection with the token endpoint of its server: that of its elements, or the one that the metadata of the issuer names.
     * @param deadline of the caller, in milliseconds since the epoch
     * @throws {TokenEndpointError} that is never due to the request
     * @throws {SecretError}
     * @throws {KeyStoreError}
     */
    async locate(connection: ServedConnection, deadline: number): Promise<LocatedConnection> {
      const { authorizationServer: server } = connection
      if (!('discovery' in server)) return { ...connection, authorizationServer: server }
      const known = await find(connection, server, deadline - answerReserveMilliseconds)
      const located = { ...connection, authorizationServer: known.server }
      await advise(located, known.metadata)
      return located
    },

    /** A token request failed at this endpoint: it may have moved. The next request asks for it again, at most once a minute. */
    doubt({ authorizationServer: server }: ServedConnection): void {
      if ('discovery' in server) entryOf(server).isDoubted = true
    },
  }
}

function outOfTime(): TimedOutError {
  return new TimedOutError(
    "No time is left for the metadata of the authorization server before the caller's deadline.",
    {
      wasSent: false,
    },
  )
}

/** Lambda froze this process meanwhile, and the server may have answered in time. */
function asFrozen(error: unknown): unknown {
  return error instanceof TimedOutError ? new TimedOutError(error.message, { wasSent: false }) : error
}

/** Two elements with the same issuer may reach it in different ways, and trust different certificates. */
function nameOf(server: ServerToDiscover): string {
  return JSON.stringify(server)
}
