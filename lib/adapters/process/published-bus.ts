import { channel } from 'node:diagnostics_channel'
import { type EventBus, EventBusError } from '../../events/event-bus.ts'

/** The name of the diagnostics channel on which every event of this process is published, as a `TokenwellEvent`. */
export const eventChannel = 'tokenwell:event'

/** A bus within this process. Without a listener an event is an error. */
export function publishedBus(): EventBus {
  const events = channel(eventChannel)
  return {
    isHeard: true,
    async raise(raised) {
      for (const event of raised) {
        if (!events.hasSubscribers)
          throw new EventBusError(
            `No listener is subscribed to the channel ${eventChannel} in this process. Subscribe first.`,
          )
        events.publish(event)
      }
    },
  }
}
