import type { TokenwellEvent } from './tokenwell-event.ts'

/** Port: tells whoever listens. */
export interface EventBus {
  /** Whether anybody acts on what is raised: else there is nothing to wait for. */
  readonly isHeard: boolean
  /**
   * All of them, in whatever order. Whoever hears of it may hear of it twice.
   * @throws {EventBusError} where one was not taken; a bounded time later at the latest
   */
  raise(events: readonly TokenwellEvent[]): Promise<void>
}
