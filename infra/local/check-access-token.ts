import { errors, type JWTVerifyGetKey, jwtVerify } from 'jose'

/** The tokens that an API accepts. */
export interface ExpectedToken {
  readonly issuer: string
  readonly audience: string
  readonly keys: JWTVerifyGetKey
}

/** The answer to a call that is refused, with its `WWW-Authenticate` header (RFC 6750 section 3). */
export interface Refusal {
  readonly status: 401 | 403
  readonly challenge: string
}

/** RFC 9068 section 2.2, except `iss` and `aud`, which are compared with the expected values. */
const requiredClaims = ['exp', 'sub', 'client_id', 'iat', 'jti']
/** The algorithm that RFC 9068 section 2.1 demands. The authorization server of the local run signs with it. */
const algorithms = ['RS256']

/** What is wrong with a token, by jose's error code. An error with any other code is not the token's fault. */
const faults: Readonly<Record<string, string>> = {
  ERR_JWT_EXPIRED: 'the token has expired',
  ERR_JWT_INVALID: 'the token is not a signed JWT',
  ERR_JWS_INVALID: 'the token is not a signed JWT',
  ERR_JOSE_ALG_NOT_ALLOWED: `the token is not signed with ${algorithms}`,
  ERR_JOSE_NOT_SUPPORTED: `the token is not signed with ${algorithms}`,
  ERR_JWKS_NO_MATCHING_KEY: 'the authorization server does not publish the key of the token',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'the signature of the token is wrong',
}

/**
 * Returns undefined if the call has a valid JWT access token (RFC 9068) with this scope.
 * @param authorization the `Authorization` header as received
 * @throws if the keys of the authorization server cannot be read
 */
export async function checkAccessToken(
  authorization: string | undefined,
  scope: string,
  expected: ExpectedToken,
): Promise<Refusal | undefined> {
  const [, token] = /^Bearer +(\S+)$/i.exec(authorization ?? '') ?? []
  if (token === undefined) return { status: 401, challenge: challenge({}) }
  let granted: readonly string[]
  try {
    granted = await readScopes(token, expected)
  } catch (error) {
    return { status: 401, challenge: challenge({ error: 'invalid_token', error_description: faultOf(error) }) }
  }
  if (granted.includes(scope)) return undefined
  const missing = { error: 'insufficient_scope', error_description: 'the token does not have this scope', scope }
  return { status: 403, challenge: challenge(missing) }
}

async function readScopes(token: string, { keys, issuer, audience }: ExpectedToken): Promise<readonly string[]> {
  const { payload } = await jwtVerify(token, keys, { issuer, audience, typ: 'at+jwt', requiredClaims, algorithms })
  return String(payload['scope'] ?? '').split(' ')
}

/** @throws the error itself if it is not the token's fault */
function faultOf(error: unknown): string {
  if (error instanceof errors.JWTClaimValidationFailed) return `the ${error.claim} of the token is missing or wrong`
  const fault = error instanceof errors.JOSEError ? faults[error.code] : undefined
  if (fault === undefined) throw error
  return fault
}

function challenge(parameters: Readonly<Record<string, string>>): string {
  const all = Object.entries({ realm: 'orders', ...parameters })
  return `Bearer ${all.map(([name, value]) => `${name}="${value}"`).join(', ')}`
}
