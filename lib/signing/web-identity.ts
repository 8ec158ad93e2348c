import { decodeJwt, decodeProtectedHeader } from 'jose'
import { operatorFindsReason, TokenwellError } from '../base/tokenwell-error.ts'
import type { WebIdentityConfiguration } from '../configuration/assertion-configuration.ts'
import type { Secret } from '../secret/secret.ts'
import type { AssertionMaker, JoseHeader, SignedAssertion } from './assertion.ts'

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

/**
 * Asks AWS for the JWT of the next attempt, so that a slow STS takes none of the authorization server's time. Any further attempt with
 * this maker asks for another one.
 * @throws {WebIdentityError}
 */
export async function prepareWebIdentity(
  webIdentity: WebIdentity,
  request: WebIdentityRequest,
): Promise<AssertionMaker> {
  const unused = [await askFor(webIdentity, request)]
  return { make: async () => unused.pop() ?? (await askFor(webIdentity, request)) }
}

async function askFor(webIdentity: WebIdentity, request: WebIdentityRequest): Promise<SignedAssertion> {
  return readAssertion(await webIdentity.token(request), request)
}

function readAssertion(assertion: Secret, { awsWebIdentity }: WebIdentityRequest): SignedAssertion {
  try {
    const claims = decodeJwt(assertion.reveal())
    const { iat = 0, nbf = 0, exp = 0 } = claims
    const validity = { from: Math.max(iat, nbf) * 1000, until: exp * 1000 }
    const header = decodeProtectedHeader(assertion.reveal()) as JoseHeader
    return { assertion, validity, header, claims, isSignedByAws: true }
  } catch {
    // The error of jose may quote the JWT.
    throw new WebIdentityError(awsWebIdentity, 'AWS STS answered with a token that is not a JWT. Try again later.', {
      isPassing: true,
    })
  }
}
