import { operatorFindsReason, TokenwellError } from '../base/tokenwell-error.ts'
import type { Secret } from './secret.ts'

/** Port: the store of secrets. An element holds only the name of a secret. */
export interface SecretStore {
  /**
   * The secret of that name as text.
   * @throws {SecretError} when there is no such secret, or it can't be read
   */
  get(name: string): Promise<Secret>
  /**
   * The version before the current one, as text. Undefined if there was no earlier version.
   * @throws {SecretError} when it can't be read
   */
  getPrevious(name: string): Promise<Secret | undefined>
}

export type SecretErrorCode =
  /** There is no secret with that name, or it has no current version. */
  | 'secret_missing'
  /** Tokenwell has no right to read or decrypt it. */
  | 'secret_denied'
  /** It was read but is not text. */
  | 'secret_unreadable'
  /** The store asked to wait longer than the request had time. */
  | 'secret_throttled'
  /** The store did not answer. */
  | 'secret_unreachable'

/** A secret can't be read. The message names the secret and never shows it. */
export class SecretError extends TokenwellError {
  readonly code: SecretErrorCode

  constructor(code: SecretErrorCode, message: string) {
    super(message)
    this.code = code
  }

  override get isPassing(): boolean {
    return this.code === 'secret_throttled' || this.code === 'secret_unreachable'
  }

  override get publicMessage(): string {
    return this.isPassing
      ? 'The configuration of this connection cannot be read at the moment.'
      : `The configuration of this connection has a mistake. ${operatorFindsReason}`
  }
}
