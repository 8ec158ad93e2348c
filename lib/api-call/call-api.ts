import type { Caller } from '../access-token/caller.ts'
import { type CallerRequest, isYoung, type Token } from '../access-token/token.ts'
import { inTime, type Pause } from '../base/time.ts'
import type { ApiOfToken, Connection, ProtectedApi } from '../configuration/connection.ts'
import type { ConnectionCache } from '../configuration/connection-cache.ts'
import { ConfigurationError } from '../configuration/finding.ts'
import type { TokenProvider } from '../get-token/get-token.ts'
import { CoolingDownError } from '../get-token/token-error.ts'
import type { Log } from '../log/log-event.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import { SecretError } from '../secret/secret-store.ts'
import { TimedOutError } from '../token-endpoint/token-endpoint-error.ts'
import { type ApiAnswer, ApiCallError, type ApiEndpoint, type ApiRequest } from './api-endpoint.ts'
import { forwardedHeaders } from './forwarded-headers.ts'
import { apiOfToken, whyRefused } from './host-from.ts'
import { isTokenRejected, unauthorized } from './rejected-token.ts'
import { returnedHeaders } from './returned-headers.ts'
import { type CallDestination, createCallSender } from './send-call.ts'
import { targetWithin } from './target-within.ts'

/** A call as the caller sent it, without a token. */
export interface ApiCall {
  readonly caller: Caller
  /** The claims of the caller's JWT, where it has one. */
  readonly callersClaims?: Readonly<Record<string, string>>
  readonly connection: string
  /** Tokenwell's path for the API's base path, such as `/prod/connections/orders/api`. */
  readonly callerPath: string
  readonly method: string
  /** The decoded path below the base path. Begins with a slash. */
  readonly path: string
  readonly query: string
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly cookies?: readonly string[]
  readonly body?: Uint8Array
}

interface ApiCallerDependencies {
  readonly connections: ConnectionCache
  readonly tokens: TokenProvider
  readonly secrets: SecretCache
  readonly apiEndpoint: ApiEndpoint
  readonly now: () => number
  readonly pause: Pause
  readonly log: Log
}

/** A call whose token says where it goes. */
interface Unplaced extends Omit<CallDestination, 'api'> {
  readonly api: ProtectedApi | ApiOfToken
}

interface PlacedAnswer {
  readonly answer: ApiAnswer
  /** Where the answer came from. */
  readonly origin: string
}

/** `kept`: the rejected token has just replaced another one, and stays. */
type Replacement = { readonly kind: 'replaced'; readonly token: Token } | { readonly kind: 'kept' }

/** Calls a connection's API with the connection's token. */
export function createApiCaller(dependencies: ApiCallerDependencies) {
  const { connections, tokens, secrets, apiEndpoint, now, pause, log } = dependencies
  const sender = createCallSender({ apiEndpoint, now, log })
  return { call }

  /**
   * Returns the API's answer, with the headers that the caller gets. If the API rejects the token, the token is replaced and the
   * call is repeated, both once.
   * @param deadline when the caller needs an answer, in milliseconds since the epoch
   * @throws {TokenwellError} the error that kept a token from being obtained
   * @throws {ApiCallError} if the API gives no answer
   */
  async function call(asked: ApiCall, deadline: number): Promise<ApiAnswer> {
    // Only the elements say where the API is. A new `host` changes no token, so no event tells of it: it is used within a minute.
    const outOfTime = () => throwTimedOut(asked.connection)
    const { connection } = await inTime(connections.get(asked.connection), deadline - now(), pause, outOfTime)
    const api = apiOf(connection)
    const request = requestFor(connection.name, api, asked)
    const from = { connection: connection.name, api, deadline }
    const { answer, origin } = await answerTo(tokenRequestOf(asked), request, from).catch(
      tellOfRefusedHost(connection.name),
    )
    const place = { api: { ...api, origin }, target: request.target, callerPath: asked.callerPath }
    const { headers, leftOut } = returnedHeaders(answer.headers, place)
    for (const each of leftOut) log({ event: 'api_header_left_out', connection: connection.name, ...each })
    return { ...answer, headers }
  }

  async function answerTo(
    wanted: CallerRequest,
    request: Omit<ApiRequest, 'token'>,
    { connection, api, deadline }: Unplaced,
  ): Promise<PlacedAnswer> {
    const token = await tokenFor(wanted, { api, deadline })
    const first = { connection, api: apiOfToken(api, token), deadline }
    const answer = await sendByLatestCertificate({ ...request, token: token.accessToken }, first)
    const placed = { answer, origin: first.api.origin }
    if (!isTokenRejected(answer, api.rejection) || isYoung(token, now())) return placed

    const replacement = await replace(wanted, token, deadline)
    if (replacement.kind === 'kept') return placed
    log({ event: 'api_call_repeated', connection, reason: 'token_rejected' })
    // The new token may be for another host.
    const second = { connection, api: apiOfToken(api, replacement.token), deadline }
    const again = await sender.send({ ...request, token: replacement.token.accessToken }, second)
    return { answer: again, origin: second.api.origin }
  }

  async function tokenFor(wanted: CallerRequest, { api, deadline }: Omit<Unplaced, 'connection'>): Promise<Token> {
    const { token } = await tokens.get(wanted, deadline)
    // For some seconds after `hostFrom` was set, memory may have a token of the earlier elements.
    if (!('hostFrom' in api) || token.passedOn) return token
    const replacement = await replace(wanted, token, deadline)
    return replacement.kind === 'kept' ? token : replacement.token
  }

  function tellOfRefusedHost(connection: string): (error: unknown) => never {
    return function tell(error) {
      const why = error instanceof ApiCallError ? whyRefused(error) : undefined
      if (why) log({ event: 'api_host_refused', connection, why, reason: (error as ApiCallError).message })
      throw error
    }
  }

  /** A token may be bound to a newer client certificate than the one that this process has read (RFC 8705 section 3). */
  async function sendByLatestCertificate(request: ApiRequest, destination: CallDestination): Promise<ApiAnswer> {
    const { connection, api } = destination
    const answer = await sender.send(request, destination)
    const { clientCertificate } = api.tls
    if (answer.status !== unauthorized || clientCertificate === undefined) return answer
    if (!(await secrets.refresh(clientCertificate).catch(unlessSecretError))) return answer
    log({ event: 'api_call_repeated', connection, reason: 'newer_certificate' })
    return await sender.send(request, destination)
  }

  async function replace(wanted: CallerRequest, { id }: Token, deadline: number): Promise<Replacement> {
    try {
      const { token } = await tokens.get({ ...wanted, rejectedTokenId: id }, deadline)
      return token.id === id ? { kind: 'kept' } : { kind: 'replaced', token }
    } catch (error) {
      if (error instanceof CoolingDownError && !error.failure) return { kind: 'kept' }
      // Not the API's 401: the caller can't do anything about that.
      throw error
    }
  }
}

/** The connection's own request, or that of the caller's JWT where the elements say so. */
function tokenRequestOf({ caller, callersClaims, connection }: ApiCall): CallerRequest {
  return { caller, connection, ...(callersClaims && { callersClaims }), further: {} }
}

/** The answer of the API tells more than a secret that can't be read. */
function unlessSecretError(error: unknown): boolean {
  if (error instanceof SecretError) return false
  throw error
}

function throwTimedOut(connection: string): never {
  throw new TimedOutError(
    `The elements of the connection ${connection} could not be read before the caller's deadline. Check whether the element store is slow.`,
  )
}

function requestFor(
  connection: string,
  { basePath }: Pick<ProtectedApi, 'basePath'>,
  { method, path, query, headers, cookies, body }: ApiCall,
): Omit<ApiRequest, 'token'> {
  return {
    connection,
    method,
    target: targetWithin(basePath, path, query),
    headers: forwardedHeaders(headers, cookies),
    ...(body && { body }),
  }
}

function apiOf({ name, api }: Connection): ProtectedApi | ApiOfToken {
  if (api) return api
  throw new ConfigurationError([
    {
      severity: 'mistake',
      element: { kind: 'endpointConnection', id: name },
      attribute: 'host',
      sentence:
        'The connection has no API to call. Set host to the URL of the API, for example https://api.example.com.',
    },
  ])
}
