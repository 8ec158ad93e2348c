import type { KeyObject } from 'node:crypto'
import { TokenwellError } from '../base/tokenwell-error.ts'

/**
 * Port: the public half of the stage's key for publications (P-256). The key never changes, so one answer is valid for the life of
 * a process.
 */
export interface PublicationKey {
  /** @throws {PublicationKeyError} */
  publicKey(): Promise<KeyObject>
}

/** Port: the same key with its private half. Only functions that publish may use it. */
export interface PublicationSigner extends PublicationKey {
  /**
   * @param bytes at most 4,096 (limit of AWS KMS)
   * @returns the signature: ECDSA with SHA-256, in DER
   * @throws {PublicationKeyError}
   */
  sign(bytes: Uint8Array): Promise<Uint8Array>
}

/** The key for publications cannot be used. */
export class PublicationKeyError extends TokenwellError {
  readonly code = 'publication_key'
  private readonly passes: boolean

  constructor(message: string, { isPassing = false } = {}) {
    super(message)
    this.passes = isPassing
  }

  override get publicMessage(): string {
    return 'The published keys cannot be verified at the moment.'
  }

  override get isPassing(): boolean {
    return this.passes
  }
}
