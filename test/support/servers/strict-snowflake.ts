import { createHash, type KeyObject, randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import { isJsonObject, type JsonObject, parseJson } from '../../../lib/base/decoding.ts'
import type { ReceivedCall, ScriptedAnswer } from './scripted-api.ts'
import {
  credentialOf,
  decodeUnverified,
  isSignedByOneOf,
  Refusal,
  type StrictServer,
  type StrictServerOptions,
  startStrictServer,
  unknownNames,
} from './strict-server.ts'

/*
 * Snowflake's SQL API with key-pair authentication: the token is a JWT that the client signs itself. Sources:
 * https://docs.snowflake.com/en/developer-guide/sql-api/authenticating
 * https://docs.snowflake.com/en/developer-guide/sql-api/reference (headers, statuses, bodies)
 * https://docs.snowflake.com/en/sql-reference/functions/system_get_login_failure_details (reasons)
 * https://docs.snowflake.com/en/user-guide/key-pair-auth-troubleshooting
 * https://github.com/emqx/emqx (the body of 401 with code 390144, as recorded at Snowpipe)
 *
 * A client sees the same 401 for all faults of a JWT. An administrator gets the reason by the UUID of the message. The text of the
 * refusal of headers is not documented: only the statuses are.
 */

export interface StrictSnowflakeOptions extends StrictServerOptions {
  /** In upper case. A period of the account's name is a hyphen here. */
  readonly account: string
  /** In upper case. */
  readonly user: string
  /**
   * The longest time between `iat` and the request. Snowflake documents 60 seconds for logins (394302). Its client for Snowpipe uses a
   * JWT for 54 minutes (snowflake-ingest-python, tokentools.py). By default any time is accepted.
   */
  readonly issuedWithinSeconds?: number
}

export interface StrictSnowflake extends StrictServer {
  /** Adds a public key of the user. Snowflake holds two at most. */
  register(publicKey: KeyObject): void
  /** What `SYSTEM$GET_LOGIN_FAILURE_DETAILS` tells an administrator. */
  loginFailure(uuid: string): string | undefined
}

const longestSeconds = 3600
/** How far the client's clock may be ahead. Snowflake documents no number. */
const skewSeconds = 60

/** `SHA256:` and the digest of the public key in the form of `RSA_PUBLIC_KEY_FP`. */
export function snowflakeFingerprint(publicKey: KeyObject): string {
  const info = publicKey.export({ type: 'spki', format: 'der' })
  return `SHA256:${createHash('sha256').update(info).digest('base64')}`
}

export async function startStrictSnowflake(t: TestContext, options: StrictSnowflakeOptions): Promise<StrictSnowflake> {
  const { account, user, issuedWithinSeconds = Number.POSITIVE_INFINITY, now = Date.now } = options
  const keys = new Map<string, KeyObject>()
  const failures = new Map<string, string>()

  function refuseToken(reason: string): never {
    const uuid = randomUUID()
    failures.set(uuid, reason)
    const message = `JWT token is invalid. [${uuid}]`
    const body = { data: null, code: '390144', message, success: false, headers: null }
    throw new Refusal(reason, { status: 401, body })
  }

  async function demandJwt(jwt: string): Promise<void> {
    const { header, claims } = decodeUnverified(jwt) ?? refuseToken('JWT_TOKEN_INVALID')
    if (header['alg'] !== 'RS256') refuseToken('JWT_TOKEN_INVALID_ALGORITHM')
    const name = `${account}.${user}`
    const [issuer, fingerprint] = splitIssuer(claims['iss'])
    if (!issuer.startsWith(`${account}.`)) refuseToken('JWT_TOKEN_ACCOUNT_MISMATCH')
    if (issuer !== name) refuseToken('JWT_TOKEN_INVALID_USER_IN_ISSUER')
    const key = keys.get(fingerprint) ?? refuseToken('JWT_TOKEN_INVALID_PUBLIC_KEY_FINGERPRINT_MISMATCH')
    if (!(await isSignedByOneOf(jwt, [key], 'RS256'))) refuseToken('JWT_TOKEN_INVALID_SIGNATURE')
    demandTimes(claims)
    if (claims['sub'] !== name) refuseToken('JWT_TOKEN_INVALID')
    const unknown = [
      ...unknownNames(claims, ['iss', 'sub', 'iat', 'exp']),
      ...unknownNames(header, ['alg', 'typ', 'kid']),
    ]
    if (unknown.length > 0) refuseToken('JWT_TOKEN_INVALID')
  }

  /** A longer `exp` is accepted, but the JWT ends one hour after `iat`. */
  function demandTimes({ iat, exp }: JsonObject): void {
    if (!Number.isInteger(iat) || !Number.isInteger(exp)) refuseToken('JWT_TOKEN_MISSING_ISSUE_OR_EXPIRATION_TIME')
    const [begin, end, seconds] = [Number(iat), Number(exp), now() / 1000]
    if (begin > seconds + skewSeconds || seconds - begin > issuedWithinSeconds)
      refuseToken('JWT_TOKEN_INVALID_ISSUE_TIME')
    if (Math.min(end, begin + longestSeconds) <= seconds) refuseToken('JWT_TOKEN_INVALID_EXPIRATION_TIME')
  }

  async function accept(call: ReceivedCall): Promise<ScriptedAnswer> {
    demandHeaders(call)
    await demandJwt(credentialOf(call, 'Bearer') ?? '')
    const request = parseJson(call.body.toString())
    if (!isJsonObject(request) || typeof request['statement'] !== 'string')
      throw refusal(400, '390142', 'Incoming request does not contain a valid payload.')
    return { body: resultSet(now()) }
  }

  return {
    ...(await startStrictServer(t, accept, options)),
    register: (publicKey) => keys.set(snowflakeFingerprint(publicKey), publicKey),
    loginFailure: (uuid) => failures.get(uuid),
  }
}

/** The account with the user, and the fingerprint. A base64 text has no period. */
function splitIssuer(issuer: unknown): readonly [name: string, fingerprint: string] {
  const text = String(issuer)
  const [, name = text, fingerprint = ''] = /^(.*)\.(SHA256:.*)$/.exec(text) ?? []
  return [name, fingerprint]
}

function refusal(status: number, code: string, message: string): Refusal {
  return new Refusal(message, { status, body: { code, message } })
}

function demandHeaders({ method, url, headers }: ReceivedCall): void {
  if (url.split('?')[0] !== '/api/v2/statements') throw new Refusal('path', { status: 404, body: '' })
  if (method !== 'POST') throw new Refusal('method', { status: 405, body: '' })
  const { accept = '', 'user-agent': userAgent, 'content-type': contentType = '' } = headers
  if (!userAgent) throw refusal(400, '391903', 'The request has no User-Agent header.')
  if (!/\*\/\*|application\/json/.test(accept))
    throw refusal(400, '391902', 'The Accept header does not allow application/json.')
  if (!/^application\/json(?:;|$)/.test(contentType)) throw new Refusal('Content-Type', { status: 415, body: '' })
  // Without this header, Snowflake finds out the type from the token itself.
  const type = headers['x-snowflake-authorization-token-type'] ?? 'KEYPAIR_JWT'
  if (type !== 'KEYPAIR_JWT') throw refusal(401, '390303', 'Invalid OAuth access token.')
}

function resultSet(createdOn: number): JsonObject {
  const statementHandle = randomUUID()
  return {
    resultSetMetaData: { numRows: 1, format: 'jsonv2', rowType: [{ name: '1', type: 'fixed' }] },
    data: [['1']],
    code: '090001',
    statementStatusUrl: `/api/v2/statements/${statementHandle}`,
    sqlState: '00000',
    statementHandle,
    message: 'Statement executed successfully.',
    createdOn,
  }
}
