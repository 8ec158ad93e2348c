import { operatorFindsReason, TokenwellError } from '../base/tokenwell-error.ts'
import type { Secret } from './secret.ts'

/** Port: the place of the secrets. An element holds a secret's name, never the secret. */
export interface SecretStore {
  /**
   * The secret of that name as text.
   * @throws {SecretError} when there is no such secret, or it can't be read
   */
  get(name: string): Promise<Secret>
  /**
   * The version before the current one, as text; undefined if there is none.
   * @throws {SecretError} when it can't be read
   */
  getPrevious(name: string): Promise<Secret | undefined>
}

export type SecretErrorCode =
  /** There is no secret of that name, or none that is current. */
  | 'secret_missing'
  /** No right to read it, or to decrypt it. */
  | 'secret_denied'
  /** It was read, and is not text. */
  | 'secret_unreadable'
  /** The store asks to wait, for longer than there was time. */
  | 'secret_throttled'
  /** No answer from the store. */
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
      ? "The configuration of this connection can't be read at the moment."
      : `The configuration of this connection has a mistake. ${operatorFindsReason}`
  }
}
