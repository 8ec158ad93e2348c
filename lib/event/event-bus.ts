import type { TokenwellEvent } from './tokenwell-event.ts'

/** Port: tells whoever listens. */
export interface EventBus {
  /**
   * All of them, in whatever order. Whoever hears of it may hear of it twice.
   * @throws {EventBusError} where one was not taken; a bounded time later at the latest
   */
  raise(events: readonly TokenwellEvent[]): Promise<void>
}
