import { batchesOf } from '../base/semaphore.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import type { Log } from '../log/log-event.ts'

/**
 * What Tokenwell puts on its event bus, by detail type. An event names what to look at and holds no secret and no parameter of a
 * request. A `tokenId` finds a token's record, and is worth nothing without access to its connection.
 */
export type TokenwellEvent =
  /** A caller got a stale token; one instance of the fleet asks for its renewal. */
  | { readonly type: 'TokenRefreshRequested'; readonly connection: string; readonly tokenId: string }
  /** An API rejected that token. */
  | { readonly type: 'TokenRejected'; readonly connection: string; readonly tokenId: string }
  /** The connection's elements would get other tokens than those that the fleet uses. */
  | { readonly type: 'ConnectionChanged'; readonly connection: string }
  /** An operator asks that none of the connection's tokens be handed out any more. */
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
  /** The authorization server refuses the client, or what the elements ask for: an operator has to mend that. */
  | {
      readonly type: 'ConnectionRefused'
      readonly connection: string
      /** As in RFC 6749 section 5.2. */
      readonly error: string
    }

/** Port: publishes events. */
export interface EventBus {
  /** Whether anything acts on the events: otherwise there is nothing to wait for. */
  readonly isHeard: boolean
  /**
   * Raises all of them, in any order. A receiver may get an event twice.
   * @throws {EventBusError} when one was not taken; after a bounded time at the latest
   */
  raise(events: readonly TokenwellEvent[]): Promise<void>
}

/** An event was not taken, or it isn't known whether it was. */
export class EventBusError extends TokenwellError {
  readonly code = 'event_bus'
}

/** As many as a bus takes within its time. */
const eventsAtATime = 100

/**
 * Raises any number of events, batch after batch.
 * @throws {EventBusError} with the first that were not taken: the rest was not raised
 */
export async function raiseInTurn(bus: EventBus, events: readonly TokenwellEvent[]): Promise<void> {
  for (const some of batchesOf(events, eventsAtATime)) await bus.raise(some)
}

/**
 * The same for callers that must not fail without the bus: a failure is logged instead.
 * @returns whether all were taken
 */
export async function raiseOrLog(bus: EventBus, events: readonly TokenwellEvent[], log: Log): Promise<boolean> {
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

/** The members of an EventBridge event that its sender sets; EventBridge adds the rest. */
export interface EventbridgeEvent {
  readonly source: string
  readonly 'detail-type': TokenwellEvent['type']
  readonly detail: Readonly<Record<string, string | number>>
}

/** The event as it comes out of EventBridge, and is read by `readIncomingEvent`. */
export function asEventbridgeEvent({ type, ...detail }: TokenwellEvent, source: string): EventbridgeEvent {
  return { source, 'detail-type': type, detail }
}
