/** An event was not taken, or it isn't known whether it was. */
export class EventBusError extends Error {
  readonly code = 'event_bus'
  override readonly name = 'EventBusError'
}
