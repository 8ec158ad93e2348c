import type { EventBus } from '../event/event-bus.ts'
import { EventBusError } from '../event/event-bus-error.ts'
import { loadedOnce } from './loaded-once.ts'
import { publishedBus } from './published-bus.ts'

/** Where events are raised. */
export type EventsPlace =
  | { readonly kind: 'eventbridge'; readonly busName: string }
  /** This process alone. */
  | { readonly kind: 'process' }
  /** Nobody listens: every event is refused, so that whoever raises it knows. */
  | { readonly kind: 'none' }

export function openEvents(place: EventsPlace, stage: string): EventBus {
  const open = loadedOnce(() => load(place, stage))
  return {
    isHeard: place.kind !== 'none',
    async raise(events) {
      if (events.length > 0) await (await open()).raise(events)
    },
  }
}

async function load(place: EventsPlace, stage: string): Promise<EventBus> {
  switch (place.kind) {
    case 'eventbridge':
      return (await import('./eventbridge-bus.ts')).eventbridgeBus({ busName: place.busName, stage })
    case 'process':
      return publishedBus()
    case 'none':
      return noBus
  }
}

const noBus: EventBus = {
  isHeard: false,
  async raise() {
    throw new EventBusError('No event bus is configured: nobody hears of it.')
  },
}
