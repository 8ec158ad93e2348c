/** More than Lambda takes in one event. */
export class RequestTooLargeError extends Error {
  readonly code = 'request_too_large'
  override readonly name = 'RequestTooLargeError'
}
