import { hasJwtId, lifetimeOf } from '../access-token/lifetime.ts'
import { isForUser, type Token, type TokenRequest } from '../access-token/token.ts'
import type { AuthTokenGrant } from '../configuration/auth-token.ts'
import {
  assertionsOfGrant,
  type LocatedConnection,
  type ServedConnection,
  type ServedGrant,
} from '../configuration/connection.ts'
import type { Log } from '../log/log-event.ts'
import type { AssertionMoment } from '../signing/assertion.ts'
import { authenticateClient } from './client-authentication.ts'
import { adviceOn, type ClockOffsets, type ClockReading } from './clock-offset.ts'
import { faultOf } from './fault.ts'
import { createGrantForm } from './grants/create-grant-form.ts'
import type { GrantParameters } from './grants/grant-form.ts'
import { keptOf } from './kept-answer.ts'
import { readPassedOn } from './passed-on.ts'
import type { RequestKeySource, RequestKeys } from './request-keys.ts'
import { clockReadingOf, type SignedRequest, sentSecrets, toldOf, unsigned } from './signed-request.ts'
import { issuedToken, type TokenAnswer } from './token-answer.ts'
import {
  hasTimeFor,
  type TokenEndpoint,
  type TokenEndpointAnswer,
  timeoutsUntil,
  type WrittenRequest,
} from './token-endpoint.ts'
import { type ClockOffset, RefusedError, TimedOutError, TokenEndpointError } from './token-endpoint-error.ts'
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

/** A token request to a server whose token endpoint is known. */
export interface LocatedRequest extends TokenRequestContext {
  readonly connection: LocatedConnection
}

/** What one token request needs. */
export interface TokenRequestContext {
  readonly connection: ServedConnection
  readonly request: TokenRequest
  /** Those of the elements and of the request, as the token endpoint gets them. */
  readonly parameters: GrantParameters
  /** The latest time for an answer to the caller, in milliseconds since the epoch. */
  readonly deadline: number
}

/** The keys of one attempt. */
export interface KeysInHand extends RequestKeys {
  /** How long it took to read them. */
  readonly readMilliseconds: number
}

/** The OAuth client of a connection: it authenticates and makes one token request, from the assertion to the token. */
export type TokenClient = ReturnType<typeof createTokenClient>

export function createTokenClient(dependencies: TokenClientDependencies) {
  const { keys, tokenEndpoint, clockOffsets, now, randomId, random, log } = dependencies

  /** @returns a token without its id */
  async function exchange(context: LocatedRequest, keysInHand: KeysInHand, sentAt: number): Promise<Omit<Token, 'id'>> {
    const { connection, parameters } = context
    const { lifetime, tokenTypes } = connection.authorizationServer
    const { answer, signed } = await post(context, keysInHand, sentAt)
    const { grant } = connection
    const issued = grant.type === 'authToken' ? await readAuthToken(answer, grant) : issuedToken(answer, tokenTypes)
    if (issued)
      return {
        connection: connection.name,
        ...(isForOneRequest(grant, issued) && { isForOneRequest: true as const }),
        ...keptOf({ ...issued, ...passedOnIn(answer, connection) }, signed, connection, parameters),
        ...lifetimeOf(issued, lifetime, sentAt, random()),
      }
    const refused = await readFailure(context, signed, answer)
    logRefusal(connection, signed, refused, answer.status)
    throw refused
  }

  async function readAuthToken(
    answer: TokenEndpointAnswer,
    { response }: AuthTokenGrant,
  ): Promise<TokenAnswer | undefined> {
    const reader = await import('./auth-token-answer.ts')
    return reader.readAuthTokenAnswer(answer, response, now())
  }

  function passedOnIn({ body }: TokenEndpointAnswer, { name, passOn }: ServedConnection): Pick<Token, 'passedOn'> {
    if (!passOn) return {}
    const { passedOn, leftOut } = readPassedOn(body, passOn)
    for (const each of leftOut) log({ event: 'answer_member_left_out', connection: name, ...each })
    return { passedOn }
  }

  async function post(
    context: LocatedRequest,
    keysInHand: KeysInHand,
    sentAt: number,
  ): Promise<{ readonly answer: TokenEndpointAnswer; readonly signed: SignedRequest }> {
    const { connection, deadline } = context
    const server = connection.authorizationServer
    const timeouts = timeoutsUntil(deadline, sentAt, server)
    const last: { signed: SignedRequest } = { signed: unsigned }
    try {
      const answer = await tokenEndpoint.post(server, {
        connection: connection.name,
        timeouts,
        ...(connection.grant.type === 'authToken' && { answerHeaders: answerHeadersOf(connection.grant) }),
        async write() {
          const { signed, written } = await write(context, keysInHand)
          last.signed = signed
          return written
        },
      })
      return { answer, signed: last.signed }
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

  async function write(
    context: LocatedRequest,
    keysInHand: KeysInHand,
  ): Promise<{ readonly signed: SignedRequest; readonly written: WrittenRequest }> {
    const { grant: configured, authorizationServer } = context.connection
    if (configured.type === 'authToken') {
      // Few connections have such tokens, and the others do not load the module.
      const authToken = await import('./auth-token-request.ts')
      const from = now()
      const { signed, written } = await authToken.writeAuthTokenRequest(
        configured,
        keysInHand,
        moment(context),
        context.parameters,
      )
      logAuthenticated(context.connection, keysInHand, from)
      return { signed, written }
    }
    const signed = await sign(context, keysInHand)
    const { client, grant, added } = signed
    const inQuery = authorizationServer.parametersInQuery
    const form = createTokenRequestForm({ grantType: configured.type, client, grant, inQuery })
    return { signed, written: { headers: { ...added?.headers, ...client.headers }, ...form } }
  }

  /** @param from when the signing began, in milliseconds since the epoch */
  function logAuthenticated(
    { name: connection, clientAuthentication: { method } }: ServedConnection,
    { readMilliseconds }: KeysInHand,
    from: number,
  ): void {
    log({ event: 'client_authenticated', connection, method, milliseconds: readMilliseconds + now() - from })
  }

  /** By the server's clock. */
  function moment({ connection }: LocatedRequest): AssertionMoment {
    return { now: now() + clockOffsets.of(connection.authorizationServer.id), jwtId: randomId() }
  }

  /** @throws {TokenEndpointError} if the answer is not a refusal either */
  async function readFailure(
    { connection, request, parameters }: LocatedRequest,
    signed: SignedRequest,
    answer: TokenEndpointAnswer,
  ): Promise<RefusedError> {
    const { id: server, tokenTypes } = connection.authorizationServer
    // Most answers are tokens. The first other answer loads the module that reads those, which keeps a cold start short.
    const reader = await import('./answer-without-token.ts')
    const sent = sentSecrets(signed, parameters)
    const { grant } = connection
    const refusal = reader.readRefusal(answer, {
      ...{ server, tokenTypes, sent },
      ...(grant.type === 'authToken' && { tokenPlace: grant.response.token }),
      isForUser: isForUser(request),
      now: now(),
    })
    // A user called "too old" must not change the clock for all others.
    const spoken = reader.repeatsName(refusal, sent) ? { ...refusal, description: '' } : refusal
    const clock = clockReadingOf(signed, answer, spoken, now())
    return RefusedError.of(refusal, server, faultOf(refusal.error, connection, request), {
      isForUser: isForUser(request),
      mayBeOfAssertion: assertionsOfGrant(connection.grant).length > 0,
      client: { clientId: connection.clientId, connection: connection.name },
      advice: (clock && adviceOn(clock)) ?? refusal.advice,
      clockOffset: clock && offsetBy(clock),
    })
  }

  /** Logs what an operator needs to find the reason: what the server said, and what Tokenwell sent. */
  function logRefusal(
    { name: connection, elements, authorizationServer, clientId }: LocatedConnection,
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

  /** Signs the assertions of one attempt, and authenticates the client. */
  async function sign({ connection, parameters }: LocatedRequest, keysInHand: KeysInHand): Promise<SignedRequest> {
    const { client: clientKey, grant: grantKey, headers } = keysInHand
    const from = now()
    const signedAt = from + clockOffsets.of(connection.authorizationServer.id)
    const moment = () => ({ now: signedAt, jwtId: randomId() })
    const client = await authenticateClient(connection.clientId, clientKey, moment())
    const grant = await createGrantForm(grantKey, parameters, [moment(), moment()])
    logAuthenticated(connection, keysInHand, from)
    return { client, grant, ...(headers && { added: headers }) }
  }

  return {
    /**
     * Reads what one attempt is signed with. It is signed later, just before it is sent.
     * @param otherKeys the keys to use instead of the current ones
     * @throws {SecretError}
     * @throws {KeyStoreError}
     */
    async readKeys(connection: LocatedConnection, otherKeys?: RequestKeys): Promise<KeysInHand> {
      const from = now()
      const read = otherKeys ?? (await keys.current(connection))
      return { ...read, readMilliseconds: now() - from }
    },

    /**
     * Makes one token request, with new assertions.
     * @throws {TokenEndpointError}
     * @throws {SecretError} when a certificate of the connection can't be read
     * @throws {KeyStoreError} when an assertion must have a certificate and the key has none
     */
    async requestToken(context: LocatedRequest, keysInHand: KeysInHand): Promise<Token> {
      const { connection } = context
      const { id: authorizationServer } = connection.authorizationServer
      const sentAt = now()
      const sent = () => ({ connection: connection.name, authorizationServer, milliseconds: now() - sentAt })
      try {
        const token = await exchange(context, keysInHand, sentAt)
        log({ event: 'token_obtained', ...sent() })
        return { id: randomId(), ...token }
      } catch (error) {
        if (error instanceof TokenEndpointError) log({ event: 'token_request_failed', ...sent(), code: error.code })
        throw error
      }
    },
  }
}

function answerHeadersOf({ response: { token, expiry } }: AuthTokenGrant): readonly string[] {
  return [token, expiry].flatMap((place) => (place?.in === 'header' ? [place.header] : []))
}

function isForOneRequest(grant: ServedGrant, { accessToken }: TokenAnswer): boolean {
  return grant.type === 'authToken' && grant.reuse === 'without_jti' && hasJwtId(accessToken)
}

/** Undefined where the answer gives no offset that Tokenwell can use. */
function offsetBy(clock: ClockReading): ClockOffset | undefined {
  if (clock.kind === 'unknown' || clock.kind === 'too_far') return undefined
  return { milliseconds: clock.offsetMilliseconds, isGuess: clock.kind === 'guessed' }
}
