import { batchesOf } from '../base/semaphore.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import type { Log } from '../log/log-event.ts'

/**
 * The events that Tokenwell puts on its event bus, by detail type. An event holds no secret and no parameter of a request. A
 * `tokenId` finds a token's record, and is useless without access to its connection.
 */
export type TokenwellEvent = ConnectionEvent | DeploymentEvent

/** A deployment has written elements. One event stands for all of them. */
export interface DeploymentEvent {
  readonly type: 'ReconcileElements'
}

/** An event about one connection. */
export type ConnectionEvent =
  /** A caller got a stale token. One instance of the fleet requests its renewal. */
  | { readonly type: 'TokenRefreshRequested'; readonly connection: string; readonly tokenId: string }
  /** An API rejected this token. */
  | { readonly type: 'TokenRejected'; readonly connection: string; readonly tokenId: string }
  /** The connection's elements have changed in a way that leads to other tokens than the fleet now uses. */
  | { readonly type: 'ConnectionChanged'; readonly connection: string }
  /** An operator wants no current token of the connection to be handed out again. */
  | { readonly type: 'ClearTokenCache'; readonly connection: string }
  | {
      readonly type: 'TokenRefreshed'
      readonly connection: string
      readonly tokenId: string
      /** Seconds since the epoch, as in `exp`. */
      readonly expiresAt: number
    }
  | {
      readonly type: 'TokenRefreshFailed'
      readonly connection: string
      /** The code of a `TokenError`. */
      readonly code: string
    }
  /** The metadata of a server names a token endpoint on a host that the elements do not name. Tokenwell sends nothing there. */
  | {
      readonly type: 'TokenEndpointOnNewHost'
      readonly connection: string
      readonly authorizationServer: string
      readonly host: string
    }
  /** The authorization server refuses the client, or the request that the elements describe. The operator must fix that. */
  | {
      readonly type: 'ConnectionRefused'
      readonly connection: string
      /** As in RFC 6749 section 5.2. */
      readonly error: string
    }

/** Port: publishes events. */
export interface EventBus {
  /** Whether a receiver handles the events. Otherwise there is nothing to wait for. */
  readonly isHeard: boolean
  /**
   * Raises all events, in any order. A receiver may get an event twice.
   * @throws {EventBusError} after a bounded time at the latest, when the bus did not take an event
   */
  raise(events: readonly TokenwellEvent[]): Promise<void>
}

/** The bus did not take an event, or that is unknown. */
export class EventBusError extends TokenwellError {
  readonly code = 'event_bus'
}

/** The number of events that a bus takes within its time limit. */
const eventsAtATime = 100

/**
 * Raises any number of events, one batch after the other.
 * @throws {EventBusError} for the first batch that was not taken; later batches are not raised
 */
export async function raiseInTurn(bus: EventBus, events: readonly TokenwellEvent[]): Promise<void> {
  for (const some of batchesOf(events, eventsAtATime)) await bus.raise(some)
}

/**
 * Raises events like `raiseInTurn`, but logs a failure instead of throwing it.
 * @returns whether the bus took all events
 */
export async function raiseOrLog(bus: EventBus, events: readonly ConnectionEvent[], log: Log): Promise<boolean> {
  try {
    await raiseInTurn(bus, events)
    return true
  } catch (error) {
    if (!(error instanceof EventBusError)) throw error
    const [first] = events
    if (first) log({ event: 'event_not_raised', connection: first.connection, type: first.type, reason: error.message })
    return false
  }
}

/** The members of an EventBridge event that the sender sets. EventBridge adds the rest. */
export interface EventbridgeEvent {
  readonly source: string
  readonly 'detail-type': TokenwellEvent['type']
  readonly detail: Readonly<Record<string, string | number>>
}

/** The event in the form of EventBridge, which `readIncomingEvent` reads. */
export function asEventbridgeEvent({ type, ...detail }: TokenwellEvent, source: string): EventbridgeEvent {
  return { source, 'detail-type': type, detail }
}
