/** Nobody answers at the token endpoint, or it says to come back later. Nothing was refused. */
export class UnreachableError extends Error {
  readonly code = 'unreachable'
  override readonly name = 'UnreachableError'
  /** As the server asked, in seconds. */
  readonly retryAfterSeconds?: number

  constructor(message: string, retryAfterSeconds?: number) {
    super(message)
    if (retryAfterSeconds !== undefined) this.retryAfterSeconds = retryAfterSeconds
  }
}

/** The answer didn't come in time. The server may have issued a token all the same. */
export class TimedOutError extends Error {
  readonly code = 'timed_out'
  override readonly name = 'TimedOutError'
}

/** What came from the token endpoint is no answer by RFC 6749 section 5, or can't be used. */
export class UnreadableAnswerError extends Error {
  readonly code = 'unreadable_answer'
  override readonly name = 'UnreadableAnswerError'
}

/** Whose word the server refuses: the caller's, the elements', or the client itself. */
export type Fault = 'caller' | 'elements' | 'client'

/** The authorization server says no (RFC 6749 section 5.2). Asking again changes nothing. */
export class RefusedError extends Error {
  readonly code = 'refused'
  override readonly name = 'RefusedError'
  /** The server's own `error`, such as `invalid_client`. */
  readonly error: string
  readonly fault: Fault

  constructor({ error, description }: { error: string; description?: string }, server: string, fault: Fault) {
    super(`The authorization server ${server} refuses: ${error}${description ? ` (${description})` : ''}.`)
    this.error = error
    this.fault = fault
  }
}
