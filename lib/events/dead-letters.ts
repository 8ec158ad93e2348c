import { TokenwellError } from '../base/tokenwell-error.ts'
/** A message that nobody could make anything of, and why. */
export interface DeadLetter {
  /** The message as it came. */
  readonly body: string
  /** A sentence for the operator; no secret. */
  readonly reason: string
  /** That of the error. */
  readonly code: string
}

/** Port: where messages lie until an operator looks at them. */
export interface DeadLetters {
  /**
   * It may lie there twice.
   * @throws {DeadLettersError} where it was not taken, or it isn't known; a bounded time later at the latest
   */
  add(letter: DeadLetter): Promise<void>
}

/** A message was not taken by the dead letters, or it isn't known whether it was: it has to stay in its queue. */
export class DeadLettersError extends TokenwellError {
  readonly code = 'dead_letters'
}

/**
 * How often a message is delivered before the function itself moves it to the dead letters, with the reason. Its queue must
 * allow more: what the queue moves has none.
 */
export const maximumDeliveries = 3
