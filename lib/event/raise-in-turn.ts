import { batchesOf } from '../batch/batches-of.ts'
import type { EventBus } from './event-bus.ts'
import type { TokenwellEvent } from './tokenwell-event.ts'

/** What a bus takes within its time. */
const eventsAtATime = 100

/**
 * However many there are, some after the others.
 * @throws {EventBusError} with the first that were not taken: the rest was not raised
 */
export async function raiseInTurn(bus: EventBus, events: readonly TokenwellEvent[]): Promise<void> {
  for (const some of batchesOf(events, eventsAtATime)) await bus.raise(some)
}
