import type { Log } from '../log/log-event.ts'
import type { EventBus } from './event-bus.ts'
import { EventBusError } from './event-bus-error.ts'
import { raiseInTurn } from './raise-in-turn.ts'
import type { TokenwellEvent } from './tokenwell-event.ts'

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
