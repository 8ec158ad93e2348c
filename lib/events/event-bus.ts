import { batchesOf } from '../base/semaphore.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import type { Log } from '../log/log-event.ts'

/**
 * What Tokenwell says on its event bus, by detail type. An event only says what to look at: no secret, no parameter of a
 * request; a `tokenId` finds a token's record, and is worth nothing without a right to its connection.
 */
export type TokenwellEvent =
  /** A caller met a stale token, and got it: one in the fleet asks that it be renewed. */
  | { readonly type: 'TokenRefreshRequested'; readonly connection: string; readonly tokenId: string }
  /** An API refused that token. */
  | { readonly type: 'TokenRejected'; readonly connection: string; readonly tokenId: string }
  /** Its elements would issue another token than those by which the fleet goes. */
  | { readonly type: 'ConnectionChanged'; readonly connection: string }
  /** An operator's word: none of its tokens is to be handed out any more. */
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
      /** That of a `TokenError`. */
      readonly code: string
    }
  /** The authorization server refuses its client, or what its elements ask for: an operator has to mend that. */
  | {
      readonly type: 'ConnectionRefused'
      readonly connection: string
      /** As in RFC 6749 section 5.2. */
      readonly error: string
    }

/** Port: tells whoever listens. */
export interface EventBus {
  /** Whether anybody acts on what is raised: else there is nothing to wait for. */
  readonly isHeard: boolean
  /**
   * All of them, in whatever order. Whoever hears of it may hear of it twice.
   * @throws {EventBusError} where one was not taken; a bounded time later at the latest
   */
  raise(events: readonly TokenwellEvent[]): Promise<void>
}

/** An event was not taken, or it isn't known whether it was. */
export class EventBusError extends TokenwellError {
  readonly code = 'event_bus'
}

/** What a bus takes within its time. */
const eventsAtATime = 100

/**
 * However many there are, some after the others.
 * @throws {EventBusError} with the first that were not taken: the rest was not raised
 */
export async function raiseInTurn(bus: EventBus, events: readonly TokenwellEvent[]): Promise<void> {
  for (const some of batchesOf(events, eventsAtATime)) await bus.raise(some)
}

/**
 * The same where nothing fails for want of the bus: the log says so instead.
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

/** The members of an EventBridge event that are its sender's; EventBridge adds the rest. */
export interface EventbridgeEvent {
  readonly source: string
  readonly 'detail-type': TokenwellEvent['type']
  readonly detail: Readonly<Record<string, string | number>>
}

/** The event as it comes out of EventBridge, and is read by `readIncomingEvent`. */
export function asEventbridgeEvent({ type, ...detail }: TokenwellEvent, source: string): EventbridgeEvent {
  return { source, 'detail-type': type, detail }
}
