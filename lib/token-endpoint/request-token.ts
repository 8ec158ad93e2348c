import { lifetimeOf } from '../access-token/lifetime.ts'
import type { Token, TokenRequest } from '../access-token/token.ts'
import type { Connection } from '../configuration/connection.ts'
import type { Log } from '../log/log-event.ts'
import { Secret } from '../secret/secret.ts'
import { type ClockOffsets, clockOffset } from './assertion.ts'
import { authenticateClient, type ClientCredentials, type ClientKey, type ClientKeys } from './client-authentication.ts'
import { readHttpDate, readTokenAnswer, type TokenAnswer } from './token-answer.ts'
import { hasTimeFor, type TokenEndpoint, type TokenEndpointAnswer, timeoutsUntil } from './token-endpoint.ts'
import { type Fault, RefusedError, TimedOutError, TokenEndpointError } from './token-endpoint-error.ts'
import { createTokenRequestForm, type GrantParameters } from './token-request-form.ts'

/** By which a time-out may be late on a busy machine. */
const longestDelayMilliseconds = 1_000

export interface ObtainParts {
  readonly clientKeys: ClientKeys
  readonly tokenEndpoint: TokenEndpoint
  readonly now: () => number
  /** 16 random bytes in base64url, new at each call. */
  readonly randomId: () => string
  /** From 0 up to 1. */
  readonly random: () => number
  readonly clockOffsets: ClockOffsets
  readonly log: Log
}

/** What a token is obtained for. */
export interface Errand {
  readonly connection: Connection
  /** Of the connection's elements. */
  readonly fingerprint: string
  /** Another one when a secret has changed. */
  readonly secretsMark?: string
  readonly request: TokenRequest
  /** What the client authenticates by instead of its current key. */
  readonly previousKey?: ClientKey
  /** The elements' and the request's, as they go to the token endpoint. */
  readonly parameters: GrantParameters
  /** Milliseconds since the epoch by which the caller needs an answer. */
  readonly deadline: number
  /**
   * Called before each attempt with the time that it may take: nobody else asks meanwhile.
   * @throws {LeaseLostError} where somebody else may do so already
   */
  readonly keepLease: (milliseconds: number) => Promise<void>
}

/** One token request, from the assertion to the token. */
export type ObtainToken = (errand: Errand) => Promise<Token>

export function createObtainToken(parts: ObtainParts): ObtainToken {
  const { clientKeys, tokenEndpoint, now, randomId, random, clockOffsets, log } = parts

  return async (errand) => {
    const { connection, parameters, deadline, keepLease } = errand
    const { id: authorizationServer, lifetime } = connection.authorizationServer
    const credentials = await authenticate(errand)
    await keepLease(timeoutsUntil(deadline, now(), connection.authorizationServer).totalMilliseconds)

    const sentAt = now()
    const told = () => ({ connection: connection.name, authorizationServer, milliseconds: now() - sentAt })
    try {
      const answer = await ask(errand, credentials, sentAt)
      log({ event: 'token_obtained', ...told() })
      return {
        id: randomId(),
        connection: connection.name,
        accessToken: answer.accessToken,
        ...scopeOf(answer, parameters),
        ...lifetimeOf(answer, lifetime, sentAt, random()),
      }
    } catch (error) {
      if (error instanceof TokenEndpointError) log({ event: 'token_request_failed', ...told(), code: error.code })
      throw error
    }
  }

  async function authenticate({ connection, previousKey }: Errand): Promise<ClientCredentials> {
    const from = now()
    const moment = { now: from + clockOffsets.of(connection.authorizationServer.id), jwtId: randomId() }
    const key = previousKey ?? (await clientKeys.current(connection))
    const credentials = await authenticateClient(connection.clientId, key, moment)
    const { method } = connection.clientAuthentication
    log({ event: 'client_authenticated', connection: connection.name, method, milliseconds: now() - from })
    return credentials
  }

  async function ask(errand: Errand, credentials: ClientCredentials, sentAt: number): Promise<TokenAnswer> {
    const { connection, request, parameters, deadline } = errand
    const server = connection.authorizationServer
    const timeouts = timeoutsUntil(deadline, sentAt, server)
    const form = createTokenRequestForm(connection.grantType, parameters, credentials)
    const sending = tokenEndpoint.post(server, { headers: credentials.headers, form, timeouts })
    const answer = await sending.catch((error) => {
      if (!(error instanceof TimedOutError)) throw error
      // A process that was frozen meanwhile has not listened.
      const wasAwake = now() < sentAt + timeouts.totalMilliseconds + longestDelayMilliseconds
      throw new TimedOutError(error.message, { isServers: wasAwake && hasTimeFor(server, deadline - sentAt) })
    })
    const read = readTokenAnswer(answer, [...credentials.secrets, ...userOf(parameters)], now())
    if ('token' in read) return read.token

    const { refusal } = read
    const offset = refusal.error === 'invalid_client' ? clockOffsetOf(credentials, answer, now()) : undefined
    throw RefusedError.of(refusal, server.id, faultOf(refusal.error, connection, request), offset)
  }
}

/** A user's name is for no log either. */
function userOf({ username, password }: GrantParameters): Secret[] {
  return [...(username === undefined ? [] : [new Secret(username)]), ...(password ? [password] : [])]
}

function clockOffsetOf(
  { validity }: ClientCredentials,
  { date }: TokenEndpointAnswer,
  now: number,
): number | undefined {
  return validity && clockOffset(validity, readHttpDate(date), now)
}

/** RFC 6749 section 5.1: a server that grants what was asked for need not say so. */
function scopeOf({ scope }: TokenAnswer, asked: GrantParameters): Pick<Token, 'scope'> {
  if (scope !== undefined) return { scope }
  return asked.scope.length > 0 ? { scope: asked.scope.join(' ') } : {}
}

/** Whose word it was that the server refuses with this code (RFC 6749 section 5.2, RFC 8707 section 2). */
export function faultOf(error: string, { grantType }: Connection, request: TokenRequest): Fault {
  switch (error) {
    case 'invalid_grant':
      return grantType === 'password' ? 'caller' : 'client'
    case 'invalid_scope':
      return request.scope === undefined ? 'elements' : 'caller'
    case 'invalid_target':
      return request.resource === undefined && request.audience === undefined ? 'elements' : 'caller'
    case 'invalid_request':
      return Object.keys(request.further).length > 0 ? 'caller' : 'client'
    default:
      return 'client'
  }
}
