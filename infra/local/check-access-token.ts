import { errors, type JWTVerifyGetKey, jwtVerify } from 'jose'

/** The tokens that an API accepts. */
export interface ExpectedToken {
  readonly issuer: string
  readonly audience: string
  readonly keys: JWTVerifyGetKey
}

/** The answer to a call that is not let in, with its `WWW-Authenticate` (RFC 6750 section 3). */
export interface Refusal {
  readonly status: 401 | 403
  readonly challenge: string
}

/** RFC 9068 section 2.2, beside `iss` and `aud`: those are compared. */
const requiredClaims = ['exp', 'sub', 'client_id', 'iat', 'jti']
/** The algorithm that RFC 9068 section 2.1 demands. The authorization server of the local run signs with it. */
const algorithms = ['RS256']

/** What is wrong with a token, by jose's code; an error of any other code is not the token's fault. */
const faults: Readonly<Record<string, string>> = {
  ERR_JWT_EXPIRED: 'it has expired',
  ERR_JWT_INVALID: 'it is no signed JWT',
  ERR_JWS_INVALID: 'it is no signed JWT',
  ERR_JOSE_ALG_NOT_ALLOWED: `it is not signed by ${algorithms}`,
  ERR_JOSE_NOT_SUPPORTED: `it is not signed by ${algorithms}`,
  ERR_JWKS_NO_MATCHING_KEY: 'it names no key of the authorization server',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'its signature is wrong',
}

/**
 * Undefined where the call bears a JWT access token (RFC 9068) that is good for this scope.
 * @param authorization the header, as it came
 * @throws where the keys of the authorization server can't be had
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
  const missing = { error: 'insufficient_scope', error_description: 'the token is for less', scope }
  return { status: 403, challenge: challenge(missing) }
}

async function readScopes(token: string, { keys, issuer, audience }: ExpectedToken): Promise<readonly string[]> {
  const { payload } = await jwtVerify(token, keys, { issuer, audience, typ: 'at+jwt', requiredClaims, algorithms })
  return String(payload['scope'] ?? '').split(' ')
}

/** @throws the error itself, where the token has none */
function faultOf(error: unknown): string {
  if (error instanceof errors.JWTClaimValidationFailed) return `its ${error.claim} is not as it must be`
  const fault = error instanceof errors.JOSEError ? faults[error.code] : undefined
  if (fault === undefined) throw error
  return fault
}

function challenge(parameters: Readonly<Record<string, string>>): string {
  const all = Object.entries({ realm: 'orders', ...parameters })
  return `Bearer ${all.map(([name, value]) => `${name}="${value}"`).join(', ')}`
}
