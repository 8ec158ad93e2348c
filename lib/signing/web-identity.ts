import { operatorFindsReason, TokenwellError } from '../base/tokenwell-error.ts'
import type { WebIdentityConfiguration } from '../configuration/assertion-configuration.ts'
import type { Secret } from '../secret/secret.ts'

/** Port: JWTs in which AWS says which role asks for them (`GetWebIdentityToken` of AWS STS). */
export interface WebIdentity {
  /**
   * @returns a new JWT at each call
   * @throws {WebIdentityError}
   */
  token(request: WebIdentityRequest): Promise<Secret>
}

export interface WebIdentityRequest extends WebIdentityConfiguration {
  /** The name of the connection, which is a tag. */
  readonly connection: string
}

/** AWS signs no JWT. The message says why, and what to do. */
export class WebIdentityError extends TokenwellError {
  readonly code = 'web_identity'
  private readonly passes: boolean

  constructor(awsWebIdentity: string, complaint: string, { isPassing = false } = {}) {
    super(`awsWebIdentity/${awsWebIdentity}: ${complaint}`)
    this.passes = isPassing
  }

  override get publicMessage(): string {
    return `AWS gives Tokenwell no identity token. ${operatorFindsReason}`
  }

  override get isPassing(): boolean {
    return this.passes
  }
}
