import type { KeyObject } from 'node:crypto'
import { operatorFindsReason, TokenwellError } from '../base/tokenwell-error.ts'
import type { SignatureAlgorithm } from '../configuration/signature-algorithm.ts'

/** Port: private keys that never leave their service. */
export interface KeyService {
  /**
   * The key that an alias names now.
   * @throws {KeyServiceError}
   */
  publicKey(alias: string): Promise<ServiceKey>
  /**
   * @returns the signature as the service makes it: for ECDSA in DER
   * @throws {KeyServiceError}
   */
  sign(request: SignRequest): Promise<Uint8Array>
}

export interface ServiceKey {
  /** It names the same key for ever, while an alias may be moved. */
  readonly keyArn: string
  readonly publicKey: KeyObject
}

export interface SignRequest {
  /** For messages: operators know the key by it. */
  readonly alias: string
  readonly keyArn: string
  readonly algorithm: SignatureAlgorithm
  /** The signing input (RFC 7515 section 5.1). */
  readonly message: Uint8Array
  /** The digest of the message by the hash of the algorithm. Absent for Ed25519, which signs the message itself (RFC 8032). */
  readonly digest?: Uint8Array
}

/** The key service does not sign, or does not show the public key. */
export class KeyServiceError extends TokenwellError {
  readonly code = 'key_service'
  private readonly passes: boolean

  constructor(alias: string, complaint: string, { isPassing = false } = {}) {
    super(`The KMS key ${alias} ${complaint}`)
    this.passes = isPassing
  }

  override get publicMessage(): string {
    return this.passes
      ? 'The key of this connection cannot be used at the moment.'
      : `The key of this connection cannot be used. ${operatorFindsReason}`
  }

  override get isPassing(): boolean {
    return this.passes
  }
}
