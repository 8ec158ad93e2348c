import type { EventBus, TokenwellEvent } from '../../../lib/events/event-bus.ts'
import { asEventbridgeEvent, EventBusError } from '../../../lib/events/event-bus.ts'
import type { IncomingEvent } from '../../../lib/renewal/incoming-event.ts'
import { readIncomingEvent } from '../../../lib/renewal/incoming-event.ts'
import { overhear } from '../output/canary.ts'

export interface QueueingEventBus extends EventBus {
  readonly raised: readonly TokenwellEvent[]
  /** The events of that type. */
  of<T extends TokenwellEvent['type']>(type: T): Extract<TokenwellEvent, { readonly type: T }>[]
  /** The events raised since the last call, as a queue delivers them. */
  take(): IncomingEvent[]
  /** From now on it refuses all events, or accepts them again. */
  refuse(isRefused?: boolean): void
}

/** A bus that keeps raised events until the test delivers them. No event may contain a secret. */
export function createQueueingEventBus({ isHeard = true } = {}): QueueingEventBus {
  const raised: TokenwellEvent[] = []
  let taken = 0
  let isRefused = false
  return {
    isHeard,
    raised,
    of: <T extends TokenwellEvent['type']>(type: T) =>
      raised.filter((event): event is Extract<TokenwellEvent, { readonly type: T }> => event.type === type),
    async raise(events) {
      if (isRefused) throw new EventBusError('The bus does not take it.')
      overhear(JSON.stringify(events))
      raised.push(...events)
    },
    take() {
      const events = raised.slice(taken).map(incoming)
      taken = raised.length
      return events
    },
    refuse(now = true) {
      isRefused = now
    },
  }
}

/** The event as a queue delivers it. */
export function incoming(event: TokenwellEvent): IncomingEvent {
  return readIncomingEvent(JSON.stringify(asEventbridgeEvent(event, 'tokenwell-test')), 'test')
}
