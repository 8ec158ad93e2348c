import { lifetimeOf } from '../access-token/lifetime.ts'
import { isForUser, type Token, type TokenRequest } from '../access-token/token.ts'
import { type Connection, needsUser } from '../configuration/connection.ts'
import { tokenExchange, tokenTypesByShortName } from '../configuration/grant-type.ts'
import type { ToldAssertion } from '../log/event-row.ts'
import type { Log } from '../log/log-event.ts'
import { Secret } from '../secret/secret.ts'
import { type SentAssertion, thumbprintIn } from '../signing/assertion.ts'
import type { SentSecrets } from './answer-without-token.ts'
import { authenticateClient, type ClientCredentials } from './client-authentication.ts'
import { adviceOn, type ClockOffsets, type ClockReading, compareClocks } from './clock-offset.ts'
import { createGrantForm } from './grants/create-grant-form.ts'
import type { GrantForm, GrantParameters } from './grants/grant-form.ts'
import { readPassedOn } from './passed-on.ts'
import type { RequestHeaders } from './request-headers.ts'
import type { RequestKeySource, RequestKeys } from './request-keys.ts'
import { issuedToken, readHttpDate, type TokenAnswer } from './token-answer.ts'
import { hasTimeFor, type TokenEndpoint, type TokenEndpointAnswer, timeoutsUntil } from './token-endpoint.ts'
import {
  type ClockOffset,
  type Fault,
  type Refusal,
  RefusedError,
  TimedOutError,
  TokenEndpointError,
  UnreadableAnswerError,
} from './token-endpoint-error.ts'
import { createTokenRequestForm } from './token-request-form.ts'

/** How late a timer may fire on a busy machine. */
const longestDelayMilliseconds = 1_000

export interface TokenClientDependencies {
  readonly keys: RequestKeySource
  readonly tokenEndpoint: TokenEndpoint
  readonly clockOffsets: ClockOffsets
  readonly now: () => number
  /** 16 random bytes in base64url, new at each call. */
  readonly randomId: () => string
  /** From 0 up to 1. */
  readonly random: () => number
  readonly log: Log
}

/** What one token request needs. */
export interface TokenRequestContext {
  readonly connection: Connection
  readonly request: TokenRequest
  /** Those of the elements and of the request, as the token endpoint gets them. */
  readonly parameters: GrantParameters
  /** The latest time for an answer to the caller, in milliseconds since the epoch. */
  readonly deadline: number
}

/** What is kept of an answer with a token. */
interface KeptAnswer extends TokenAnswer, Pick<Token, 'passedOn'> {}

/** A token request that is signed and was never sent. Valid for one attempt. */
export interface SignedRequest {
  readonly client: ClientCredentials
  readonly grant: GrantForm
  /** Absent where the element adds no headers. */
  readonly added?: RequestHeaders
}

/** The OAuth client of a connection: it authenticates and makes one token request, from the assertion to the token. */
export type TokenClient = ReturnType<typeof createTokenClient>

export function createTokenClient(dependencies: TokenClientDependencies) {
  const { keys, tokenEndpoint, clockOffsets, now, randomId, random, log } = dependencies

  async function exchange(context: TokenRequestContext, signed: SignedRequest, sentAt: number): Promise<KeptAnswer> {
    const answer = await post(context, signed, sentAt)
    const token = issuedToken(answer, context.connection.authorizationServer.tokenTypes)
    if (token) return { ...token, ...passedOnIn(answer, context.connection) }
    const refused = await readFailure(context, signed, answer)
    logRefusal(context.connection, signed, refused, answer.status)
    throw refused
  }

  function passedOnIn({ body }: TokenEndpointAnswer, { name, passOn }: Connection): Pick<Token, 'passedOn'> {
    if (!passOn) return {}
    const { passedOn, leftOut } = readPassedOn(body, passOn)
    for (const each of leftOut) log({ event: 'answer_member_left_out', connection: name, ...each })
    return { passedOn }
  }

  async function post(
    { connection, deadline }: TokenRequestContext,
    { client, grant, added }: SignedRequest,
    sentAt: number,
  ): Promise<TokenEndpointAnswer> {
    const server = connection.authorizationServer
    const timeouts = timeoutsUntil(deadline, sentAt, server)
    const form = createTokenRequestForm(connection.grant.type, client, grant)
    const headers = { ...added?.headers, ...client.headers }
    try {
      return await tokenEndpoint.post(server, { connection: connection.name, headers, form, timeouts })
    } catch (error) {
      if (!(error instanceof TimedOutError)) throw error
      // If Lambda froze this process meanwhile, the server may have answered in time.
      const wasAwake = now() < sentAt + timeouts.totalMilliseconds + longestDelayMilliseconds
      throw new TimedOutError(error.message, {
        isServers: error.isServers && wasAwake && hasTimeFor(server, deadline - sentAt),
        wasSent: error.mayBeOfRequest,
      })
    }
  }

  /** @throws {TokenEndpointError} if the answer is not a refusal either */
  async function readFailure(
    { connection, request, parameters }: TokenRequestContext,
    signed: SignedRequest,
    answer: TokenEndpointAnswer,
  ): Promise<RefusedError> {
    const { id: server, tokenTypes } = connection.authorizationServer
    // Most answers are tokens. The first other answer loads the module that reads those, which keeps a cold start short.
    const reader = await import('./answer-without-token.ts')
    const sent = sentSecrets(signed, parameters)
    const refusal = reader.readRefusal(answer, {
      ...{ server, tokenTypes, sent },
      isForUser: isForUser(request),
      now: now(),
    })
    const clock = clockReadingOf(signed, answer, refusal, now())
    return RefusedError.of(refusal, server, faultOf(refusal.error, connection, request), {
      isForUser: isForUser(request),
      mayBeOfAssertion: 'assertion' in connection.grant,
      client: { clientId: connection.clientId, connection: connection.name },
      advice: clock && adviceOn(clock),
      clockOffset: clock && offsetBy(clock),
    })
  }

  /** Logs what an operator needs to find the reason: what the server said, and what Tokenwell sent. */
  function logRefusal(
    { name: connection, elements, authorizationServer, clientId }: Connection,
    { client: { sendsClientId, assertion }, grant }: SignedRequest,
    { error, message: reason }: RefusedError,
    status: number,
  ): void {
    log({
      event: 'token_request_refused',
      ...{ connection, authorizationServer: authorizationServer.id, tokenEndpoint: authorizationServer.tokenEndpoint },
      ...{ status, error, reason, elements, clientId, sendsClientId },
      ...(assertion && { assertion: toldOf(assertion) }),
      ...(grant.assertions.length > 0 && { grantAssertions: grant.assertions.map(toldOf) }),
    })
  }

  return {
    /**
     * Signs the assertions of one attempt, and authenticates the client.
     * @param otherKeys the keys to use instead of the current ones
     * @throws {SecretError}
     * @throws {KeyStoreError}
     */
    async sign(
      { connection, parameters }: Pick<TokenRequestContext, 'connection' | 'parameters'>,
      otherKeys?: RequestKeys,
    ): Promise<SignedRequest> {
      const from = now()
      const signedAt = from + clockOffsets.of(connection.authorizationServer.id)
      const moment = () => ({ now: signedAt, jwtId: randomId() })
      const { client: clientKey, grant: grantKey, headers } = otherKeys ?? (await keys.current(connection))
      const client = await authenticateClient(connection.clientId, clientKey, moment())
      const grant = await createGrantForm(grantKey, parameters, moment)
      const { method } = connection.clientAuthentication
      log({ event: 'client_authenticated', connection: connection.name, method, milliseconds: now() - from })
      return { client, grant, ...(headers && { added: headers }) }
    },

    /**
     * Makes one token request.
     * @param signed never sent before
     * @throws {TokenEndpointError}
     * @throws {SecretError} when a certificate of the connection can't be read
     */
    async requestToken(context: TokenRequestContext, signed: SignedRequest): Promise<Token> {
      const { connection, parameters } = context
      const { id: authorizationServer, lifetime } = connection.authorizationServer
      const sentAt = now()
      const sent = () => ({ connection: connection.name, authorizationServer, milliseconds: now() - sentAt })
      try {
        const answer = await exchange(context, signed, sentAt)
        log({ event: 'token_obtained', ...sent() })
        return {
          id: randomId(),
          connection: connection.name,
          accessToken: answer.accessToken,
          ...scopeOf(answer, parameters),
          ...(answer.passedOn && { passedOn: answer.passedOn }),
          ...issuedTypeOf(answer, context),
          ...lifetimeOf(answer, lifetime, sentAt, random()),
        }
      } catch (error) {
        if (error instanceof TokenEndpointError) log({ event: 'token_request_failed', ...sent(), code: error.code })
        throw error
      }
    },
  }
}

/** All other claims are left out of the log: the elements may set them to any value. */
function toldOf({ header, claims }: SentAssertion): ToldAssertion {
  const { alg, kid, typ } = header
  const { iss, sub, aud, iat, exp } = claims
  const certificate = thumbprintIn(header)
  return { alg, kid, typ, ...(certificate !== undefined && { certificate }), iss, sub, aud, iat, exp }
}

/** A server may repeat the user's name without its part after the `@`. Each claim of a request may name a user. */
function sentSecrets(
  { client, grant, added }: SignedRequest,
  { username = '', claims = {} }: GrantParameters,
): SentSecrets {
  const users = [username, ...Object.values(claims)]
  const names = [...new Set(users.flatMap((user) => [user, user.split('@')[0] ?? '']))].filter((name) => name !== '')
  return {
    secrets: [...client.secrets, ...grant.secrets, ...(added?.secrets ?? [])],
    names: names.map((name) => new Secret(name)),
  }
}

function clockReadingOf(
  { client, grant }: SignedRequest,
  { date }: TokenEndpointAnswer,
  { error, description }: Refusal,
  now: number,
): ClockReading | undefined {
  const assertion = grant.assertions[0] ?? client.assertion
  if (!assertion) return undefined
  return compareClocks(assertion.validity, readHttpDate(date), now, `${error} ${description ?? ''}`)
}

/** Undefined where the answer gives no offset that Tokenwell can use. */
function offsetBy(clock: ClockReading): ClockOffset | undefined {
  if (clock.kind === 'unknown' || clock.kind === 'too_far') return undefined
  return { milliseconds: clock.offsetMilliseconds, isGuess: clock.kind === 'guessed' }
}

/**
 * RFC 6749 section 5.1: a server may leave out the scope where it grants the requested one. Callers get scopes that are separated by
 * blanks, whatever the server's separator is.
 */
function scopeOf({ scope }: TokenAnswer, asked: GrantParameters): Pick<Token, 'scope'> {
  const { scopeSeparator } = asked
  if (scope !== undefined && scopeSeparator === undefined) return { scope }
  if (scope !== undefined)
    return {
      scope: scope
        .replaceAll(scopeSeparator ?? '', ' ')
        .split(' ')
        .filter(Boolean)
        .join(' '),
    }
  return asked.scope.length > 0 ? { scope: asked.scope.join(' ') } : {}
}

/**
 * The type of an exchanged token. RFC 8693 section 2.2.1 requires the server to name it. Some servers do not: then it is the requested type,
 * or else an access token.
 * @throws {UnreadableAnswerError} if it is not the requested type, or a refresh token
 */
function issuedTypeOf(
  { issuedTokenType }: TokenAnswer,
  { connection: { grant, authorizationServer }, parameters }: TokenRequestContext,
): Pick<Token, 'issuedTokenType'> {
  if (grant.type !== tokenExchange) return {}
  const { access_token: accessTokenType, refresh_token: refreshTokenType } = tokenTypesByShortName
  const { requested_token_type: requested } = parameters.further
  const issued = issuedTokenType ?? requested ?? accessTokenType
  const { id } = authorizationServer
  if (requested !== undefined && issued !== requested)
    throw new UnreadableAnswerError(
      `The authorization server ${id} issued a token of the type ${issued}, but ${requested} was requested. Set requestedTokenType to a type that the server issues to this client.`,
      { blames: 'token' },
    )
  if (issued === refreshTokenType)
    throw new UnreadableAnswerError(
      `The authorization server ${id} issued a refresh token, which Tokenwell gives to no caller. Set requestedTokenType to access_token.`,
      { blames: 'token' },
    )
  return { issuedTokenType: issued }
}

/** What caused a refusal with this code (RFC 6749 section 5.2, RFC 8707 section 2). */
export function faultOf(error: string, { grant }: Connection, request: TokenRequest): Fault {
  switch (error) {
    case 'invalid_grant':
      return grant.type === 'password' || needsUser(grant) || request.claims ? 'caller' : 'client'
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
