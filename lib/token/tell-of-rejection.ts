import type { EventBus } from '../event/event-bus.ts'
import { raiseOrLog } from '../event/raise-or-log.ts'
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
    if (outcome !== 'absent' && events.isHeard)
      await raiseOrLog(events, [{ type: 'TokenRejected', connection, tokenId }], log)
    return outcome
  }
}
