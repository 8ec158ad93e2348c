import type { EventBus } from '../event/event-bus.ts'
import { EventBusError } from '../event/event-bus-error.ts'

/** Who is told. */
export type EventsPlace =
  | { readonly kind: 'eventbridge'; readonly busName: string }
  /** Listeners in this process. */
  | { readonly kind: 'process' }
  /** Nobody. */
  | { readonly kind: 'none' }

export function openEvents(place: EventsPlace, stage: string): EventBus {
  const raise = () => Promise.reject(new EventBusError(`Nothing is raised in ${place.kind} of ${stage} yet.`))
  return { raise }
}
