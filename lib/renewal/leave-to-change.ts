import type { Connections } from '../configuration/connections.ts'
import { UnknownConnectionError } from '../configuration/unknown-connection-error.ts'
import type { EventBus } from '../event/event-bus.ts'
import { raiseOrLog } from '../event/raise-or-log.ts'
import type { Log } from '../log/log-event.ts'
import { isTokenError } from '../token/token-error.ts'
import { type Elements, noElements } from '../token-cache/connection-record.ts'

/** Before the same change is told of again, where nothing has come of it. */
const tellAgainMilliseconds = 20_000

/**
 * Whether a renewal is to be left to `ConnectionChanged`: the elements have changed, and a token obtained under them would bring
 * them into force before there are others. Where nobody has told of the change this does.
 * @param fingerprint of the elements by which the fleet goes
 */
export type LeaveToChange = (connection: string, fingerprint: string) => Promise<boolean>

export interface LeaveToChangeParts {
  readonly connections: Connections
  readonly events: EventBus
  readonly now: () => number
  readonly log: Log
}

interface Telling {
  readonly fingerprint: string
  readonly at: number
  readonly isRaised: Promise<boolean>
}

export function createLeaveToChange({ connections, events, now, log }: LeaveToChangeParts): LeaveToChange {
  const told = new Map<string, Telling>()

  return async (connection, fingerprint) => {
    if (!events.isHeard) return false
    const latest = await connections.get(connection, fingerprint).catch(elementsInstead)
    return latest !== undefined && latest.fingerprint !== fingerprint && tell(connection, latest)
  }

  /** One for all of its tokens that are renewed at that moment. */
  function tell(connection: string, { fingerprint }: Elements): Promise<boolean> {
    const before = told.get(connection)
    if (before?.fingerprint === fingerprint && now() < before.at + tellAgainMilliseconds) return before.isRaised
    const isRaised = raiseOrLog(events, [{ type: 'ConnectionChanged', connection }], log)
    told.set(connection, { fingerprint, at: now(), isRaised })
    return isRaised
  }
}

/** Undefined where whoever asks for the token meets the same error, and tells it. */
function elementsInstead(error: unknown): Elements | undefined {
  if (error instanceof UnknownConnectionError) return noElements
  if (!isTokenError(error)) throw error
  return undefined
}
