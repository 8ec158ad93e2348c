import type { TokenwellEvent } from './tokenwell-event.ts'

/** The members of an EventBridge event that are its sender's; EventBridge adds the rest. */
export interface EventbridgeEvent {
  readonly source: string
  readonly 'detail-type': TokenwellEvent['type']
  readonly detail: Readonly<Record<string, string | number>>
}

/** The event as it comes out of EventBridge, and is read by `readIncomingEvent`. */
export function asEventbridgeEvent({ type, ...detail }: TokenwellEvent, source: string): EventbridgeEvent {
  return { source, 'detail-type': type, detail }
}
