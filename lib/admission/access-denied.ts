import { TokenwellError } from '../base/tokenwell-error.ts'

/** The caller may not use the connection, or not in this way. */
export class AccessDeniedError extends TokenwellError {
  readonly code = 'access_denied'

  override get publicMessage(): string {
    return this.message
  }
}
