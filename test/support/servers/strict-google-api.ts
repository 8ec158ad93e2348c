import type { KeyObject } from 'node:crypto'
import type { TestContext } from 'node:test'
import type { JsonObject } from '../../../lib/base/decoding.ts'
import type { ReceivedCall, ScriptedAnswer } from './scripted-api.ts'
import {
  credentialOf,
  decodeUnverified,
  isSignedByOneOf,
  Refusal,
  type StrictServerOfKeys,
  type StrictServerOptions,
  startStrictServer,
  unknownNames,
} from './strict-server.ts'

/*
 * A Google API that takes a JWT of a service account without a token endpoint. Sources:
 * https://google.aip.dev/auth/4111 (self-signed JWT: `aud` or `scope`, never both)
 * https://developers.google.com/identity/protocols/oauth2/service-account#jwt-auth
 * https://cloud.google.com/apis/design/errors (the form of the body of 401)
 */

export interface StrictGoogleApiOptions extends StrictServerOptions {
  /** The e-mail address of the service account: `iss` and `sub`. */
  readonly email: string
  /** The `aud`, with the slash at its end, as in `https://pubsub.googleapis.com/`. */
  readonly audience: string
  /** The scopes that the API knows. */
  readonly scopes?: readonly string[]
}

const longestSeconds = 3600

function refuse(reason: string): never {
  throw new Refusal(reason, {
    status: 401,
    headers: { 'www-authenticate': 'Bearer realm="https://accounts.google.com/", error="invalid_token"' },
    body: {
      error: {
        code: 401,
        message:
          'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.',
        status: 'UNAUTHENTICATED',
      },
    },
  })
}

export async function startStrictGoogleApi(
  t: TestContext,
  options: StrictGoogleApiOptions,
): Promise<StrictServerOfKeys> {
  const { now = Date.now } = options
  const keys = new Map<string, KeyObject>()

  async function accept(call: ReceivedCall): Promise<ScriptedAnswer> {
    const jwt = credentialOf(call, 'Bearer') ?? ''
    const { header, claims } = decodeUnverified(jwt) ?? refuse('There is no JWT with the scheme Bearer.')
    const key = keys.get(String(header['kid'])) ?? refuse('The kid is not the private_key_id of a key.')
    if (!(await isSignedByOneOf(jwt, [key], 'RS256'))) refuse('The key of the kid did not sign it by RS256.')
    demandClaims(claims, options)
    demandTimes(claims, now() / 1000)
    return { body: {} }
  }

  return {
    ...(await startStrictServer(t, accept, options)),
    register: (keyId, publicKey) => keys.set(keyId, publicKey),
  }
}

function demandClaims(claims: JsonObject, { email, audience, scopes = [] }: StrictGoogleApiOptions): void {
  const { iss, sub, aud, scope } = claims
  if (iss !== email || sub !== email) refuse('The iss and the sub are not both the e-mail address.')
  if ((aud === undefined) === (scope === undefined)) refuse('There must be an aud or a scope, and not both.')
  if (aud !== undefined && aud !== audience) refuse('The aud is not this API.')
  if (
    scope !== undefined &&
    !String(scope)
      .split(' ')
      .every((each) => scopes.includes(each))
  )
    refuse('The scope is not known.')
  const unknown = unknownNames(claims, ['iss', 'sub', 'aud', 'scope', 'iat', 'exp'])
  if (unknown.length > 0) refuse(`The claims ${unknown.join()} are not documented.`)
}

function demandTimes({ iat, exp }: JsonObject, now: number): void {
  if (!Number.isInteger(iat) || Number(iat) > now) refuse('The iat is missing, no whole number or in the future.')
  if (!Number.isInteger(exp) || Number(exp) <= now) refuse('The exp is missing, no whole number or past.')
  if (Number(exp) - Number(iat) > longestSeconds) refuse('The JWT lives for more than an hour.')
}
