import { TokenwellError } from '../base/tokenwell-error.ts'
/** A message that can't be acted on, and why. */
export interface DeadLetter {
  /** The message as it came. */
  readonly body: string
  /** A sentence for the operator; no secret. */
  readonly reason: string
  /** The code of the error. */
  readonly code: string
}

/** Port: keeps messages until an operator looks at them. */
export interface DeadLetterQueue {
  /**
   * The letter may be kept twice.
   * @throws {DeadLettersError} when it was not taken, or that isn't known; after a bounded time at the latest
   */
  add(letter: DeadLetter): Promise<void>
}

/** The dead letters did not take a message, or that isn't known: it has to stay in its queue. */
export class DeadLettersError extends TokenwellError {
  readonly code = 'dead_letters'
}

/**
 * How often a message is delivered before the function itself moves it to the dead letters, with the reason. Its queue must
 * allow more deliveries: messages that the queue moves have no reason.
 */
export const maximumDeliveries = 3
