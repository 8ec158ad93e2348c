/** Somebody asked a moment ago; asking again at once would only load the server. */
export class CoolingDownError extends Error {
  readonly code = 'cooling_down'
  override readonly name = 'CoolingDownError'
  readonly retryAfterSeconds: number

  constructor(message: string, retryAfterSeconds: number) {
    super(message)
    this.retryAfterSeconds = retryAfterSeconds
  }
}
