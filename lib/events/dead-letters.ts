import { TokenwellError } from '../base/tokenwell-error.ts'
/** A message that Tokenwell could not handle, with the reason. */
export interface DeadLetter {
  /** The message as it was received. */
  readonly body: string
  /** A sentence for the operator. It holds no secret. */
  readonly reason: string
  /** The code of the error. */
  readonly code: string
}

/** Port: keeps messages until an operator examines them. */
export interface DeadLetterQueue {
  /**
   * Stores the letter, perhaps twice.
   * @throws {DeadLettersError} after a bounded time at the latest, when the queue did not take it or that is unknown
   */
  add(letter: DeadLetter): Promise<void>
}

/** The dead-letter queue did not take a message, or that is unknown. The message must stay in its own queue. */
export class DeadLettersError extends TokenwellError {
  readonly code = 'dead_letters'
}

/**
 * The number of deliveries after which the function itself moves a message to the dead-letter queue, with the reason. The
 * message's own queue must allow more deliveries, as messages that the queue moves have no reason.
 */
export const maximumDeliveries = 3
