import { type KeyObject, randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import { isJsonArray, type JsonObject } from '../../../lib/base/decoding.ts'
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
 * The App Store Connect API, whose token is a JWT that the client signs itself. Sources:
 * https://developer.apple.com/documentation/appstoreconnectapi/generating-tokens-for-api-requests
 * https://developer.apple.com/forums/topics/app-store-distribution-and-marketing/app-store-distribution-and-marketing-app-store-connect-api (the body of 401)
 * https://github.com/fastlane/fastlane/blob/master/spaceship/lib/spaceship/connect_api/token.rb (keys of one person)
 *
 * A token that lives for more than 20 minutes is always refused here. Apple accepts it for a few resources, which it lists.
 * That a request outside the token's `scope` gets 401 is an assumption, as is the refusal of claims that Apple does not document.
 */

export interface StrictAppStoreConnectOptions extends StrictServerOptions {
  /** The issuer id of the team. If it is undefined, the key belongs to one person: no `iss`, and `sub` is `user`. */
  readonly issuerId?: string
}

const longestSeconds = 1200
const resources: readonly string[] = ['/v1/apps', '/v1/builds']

function refusal(status: number, code: string, title: string, detail: string, reason = detail): Refusal {
  const error = { id: randomUUID(), status: String(status), code, title, detail }
  return new Refusal(reason, { status, body: { errors: [error] } })
}

function refuseToken(reason: string): never {
  throw refusal(
    401,
    'NOT_AUTHORIZED',
    'Authentication credentials are missing or invalid.',
    'Provide a properly configured and signed bearer token, and make sure that it has not expired.',
    reason,
  )
}

export async function startStrictAppStoreConnect(
  t: TestContext,
  options: StrictAppStoreConnectOptions,
): Promise<StrictServerOfKeys> {
  const { issuerId, now = Date.now } = options
  const keys = new Map<string, KeyObject>()

  async function accept(call: ReceivedCall): Promise<ScriptedAnswer> {
    const claims = await verify(credentialOf(call, 'Bearer') ?? '', keys)
    demandClaims(claims, issuerId)
    demandTimes(claims, now() / 1000)
    demandScope(claims['scope'], call)
    const { pathname } = new URL(call.url, 'https://localhost')
    if (!resources.includes(pathname) || call.method !== 'GET')
      throw refusal(
        404,
        'NOT_FOUND',
        'The specified resource does not exist',
        `There is no resource ${call.method} ${pathname}.`,
      )
    return { body: { data: [], links: { self: `https://api.appstoreconnect.apple.com${call.url}` } } }
  }

  return {
    ...(await startStrictServer(t, accept, options)),
    register: (keyId, publicKey) => keys.set(keyId, publicKey),
  }
}

/** The claims of a JWT that a registered key signed by ES256. */
async function verify(jwt: string, keys: ReadonlyMap<string, KeyObject>): Promise<JsonObject> {
  const { header, claims } = decodeUnverified(jwt) ?? refuseToken('There is no JWT with the scheme Bearer.')
  const key = keys.get(String(header['kid'])) ?? refuseToken('The kid is not that of a key.')
  if (header['typ'] !== 'JWT') refuseToken('The typ is not JWT.')
  const unknown = unknownNames(header, ['alg', 'kid', 'typ'])
  if (unknown.length > 0) refuseToken(`The header has ${unknown.join()}, too.`)
  if (!(await isSignedByOneOf(jwt, [key], 'ES256'))) refuseToken('The key of the kid did not sign it by ES256.')
  return claims
}

function demandClaims(claims: JsonObject, issuerId: string | undefined): void {
  if (claims['iss'] !== issuerId) refuseToken('The iss is not that of the key.')
  if (claims['sub'] !== (issuerId === undefined ? 'user' : undefined)) refuseToken('The sub is not that of the key.')
  if (claims['aud'] !== 'appstoreconnect-v1') refuseToken('The aud is not appstoreconnect-v1.')
  const unknown = unknownNames(claims, ['iss', 'sub', 'aud', 'iat', 'exp', 'scope'])
  if (unknown.length > 0) refuseToken(`The claims ${unknown.join()} are not documented.`)
}

function demandTimes({ iat, exp }: JsonObject, now: number): void {
  if (!Number.isInteger(iat) || Number(iat) > now) refuseToken('The iat is missing, no whole number or in the future.')
  if (!Number.isInteger(exp) || Number(exp) <= now) refuseToken('The exp is missing, no whole number or past.')
  if (Number(exp) - now > longestSeconds) refuseToken('The exp is more than 20 minutes in the future.')
}

/** Each entry of the scope is a method, a path and parameters of the query. The request must have all that one entry says. */
function demandScope(scope: unknown, { method, url }: ReceivedCall): void {
  if (scope === undefined) return
  const requested = new URL(url, 'https://localhost')
  const operations = isJsonArray(scope) ? scope : []
  const isAllowed = operations.some((entry) => {
    const [, allowedMethod, target] = /^(GET|POST|PATCH|DELETE) (\/\S+)$/.exec(String(entry)) ?? []
    if (target === undefined || allowedMethod !== method) return false
    const { pathname, searchParams } = new URL(target, 'https://localhost')
    return (
      pathname === requested.pathname &&
      [...searchParams].every(([name, value]) => requested.searchParams.getAll(name).includes(value))
    )
  })
  if (!isAllowed) refuseToken('The scope does not allow this request.')
}
