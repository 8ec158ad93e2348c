import type { EventBus } from '../event/event-bus.ts'
import { EventBusError } from '../event/event-bus-error.ts'
import type { Log } from '../log/log-event.ts'
import type { RejectToken } from './reject-token.ts'

export interface TellOfRejectionParts {
  readonly events: EventBus
  readonly log: Log
}

/** The same, and a token that was dropped is replaced though nobody asks for one: for those who only reject. */
export function withRejectionTold(rejectToken: RejectToken, { events, log }: TellOfRejectionParts): RejectToken {
  return async (connection, tokenId) => {
    const outcome = await rejectToken(connection, tokenId)
    if (outcome === 'absent' || !events.isHeard) return outcome
    try {
      await events.raise([{ type: 'TokenRejected', connection, tokenId }])
    } catch (error) {
      if (!(error instanceof EventBusError)) throw error
      log({ event: 'event_not_raised', connection, type: 'TokenRejected', reason: error.message })
    }
    return outcome
  }
}
