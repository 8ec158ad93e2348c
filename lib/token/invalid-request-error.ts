/** The caller's mistake, by the name of the parameter. */
export class InvalidRequestError extends Error {
  readonly code = 'invalid_request'
  override readonly name = 'InvalidRequestError'
  /** RFC 6749 section 5.2. */
  readonly error: 'invalid_request' | 'unsupported_grant_type'

  constructor(parameter: string, complaint: string, error: InvalidRequestError['error'] = 'invalid_request') {
    super(`${parameter} ${complaint}`)
    this.error = error
  }
}
