/** The caller has no right to the connection. */
export class AccessDeniedError extends Error {
  readonly code = 'access_denied'
  override readonly name = 'AccessDeniedError'
}
