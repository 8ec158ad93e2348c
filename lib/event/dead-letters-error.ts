/** A message was not taken by the dead letters, or it isn't known whether it was: it has to stay in its queue. */
export class DeadLettersError extends Error {
  readonly code = 'dead_letters'
  override readonly name = 'DeadLettersError'
}
