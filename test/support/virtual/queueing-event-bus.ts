import type { EventBus, TokenwellEvent } from '../../../lib/events/event-bus.ts'
import { asEventbridgeEvent, EventBusError } from '../../../lib/events/event-bus.ts'
import type { IncomingEvent } from '../../../lib/renewal/incoming-event.ts'
import { readIncomingEvent } from '../../../lib/renewal/incoming-event.ts'
import { overhear } from '../output/canary.ts'

export interface QueueingEventBus extends EventBus {
  readonly raised: readonly TokenwellEvent[]
  /** Those of that type. */
  of<T extends TokenwellEvent['type']>(type: T): Extract<TokenwellEvent, { readonly type: T }>[]
  /** What has been raised since the last time, as it comes out of a queue. */
  take(): IncomingEvent[]
  /** From now on it takes nothing, or does again. */
  refuse(isRefused?: boolean): void
}

/** A bus that keeps what is raised until the test delivers it. No secret may be in it. */
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

/** As it comes out of a queue. */
export function incoming(event: TokenwellEvent): IncomingEvent {
  return readIncomingEvent(JSON.stringify(asEventbridgeEvent(event, 'tokenwell-test')), 'test')
}
