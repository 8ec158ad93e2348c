import { TokenwellError } from '../base/tokenwell-error.ts'

/** A mistake in the caller's request. The message begins with the name of the parameter. */
export class InvalidRequestError extends TokenwellError {
  readonly code = 'invalid_request'
  /** RFC 6749 section 5.2. */
  readonly error: 'invalid_request' | 'unsupported_grant_type'

  constructor(parameter: string, complaint: string, error: InvalidRequestError['error'] = 'invalid_request') {
    super(`${parameter} ${complaint}`)
    this.error = error
  }

  override get publicMessage(): string {
    return this.message
  }
}
