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
