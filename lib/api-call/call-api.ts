import type { Caller } from '../access-token/caller.ts'
import type { CallerRequest } from '../access-token/token.ts'
import { inTime, type Pause } from '../base/time.ts'
import type { ApiOfToken, ProtectedApi } from '../configuration/api.ts'
import type { Connection } from '../configuration/connection.ts'
import type { ConnectionCache } from '../configuration/connection-cache.ts'
import { ConfigurationError } from '../configuration/finding.ts'
import type { TokenProvider } from '../get-token/get-token.ts'
import { CoolingDownError } from '../get-token/token-error.ts'
import type { Log } from '../log/log-event.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import { SecretError } from '../secret/secret-store.ts'
import { readPassword } from '../signing/secret-use.ts'
import { TimedOutError } from '../token-endpoint/token-endpoint-error.ts'
import { type ApiAnswer, ApiCallError, type ApiEndpoint, type ApiRequest } from './api-endpoint.ts'
import { type CarriedToken, credentialsOf, rejectedTokens, type WantedToken, wantedTokens } from './call-credentials.ts'
import { forwardedHeaders } from './forwarded-headers.ts'
import { apiOfToken, whyRefused } from './host-from.ts'
import { unauthorized } from './rejected-token.ts'
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
    const wanted = wantedTokens(connection, tokenRequestOf(asked))
    const { answer, origin } = await answerTo(wanted, request, from).catch(tellOfRefusedHost(connection.name))
    const place = { api: { ...api, origin }, target: request.target, callerPath: asked.callerPath }
    const { headers, leftOut } = returnedHeaders(answer.headers, place)
    for (const each of leftOut) log({ event: 'api_header_left_out', connection: connection.name, ...each })
    return { ...answer, headers }
  }

  async function answerTo(
    wanted: readonly WantedToken[],
    request: Omit<ApiRequest, 'credentials'>,
    { connection, api, deadline }: Unplaced,
  ): Promise<PlacedAnswer> {
    const carried = await Promise.all(wanted.map((each) => tokenFor(each, { api, deadline })))
    const first = { connection, api: placed(api, carried), deadline }
    const answer = await sendByLatestSecrets(request, carried, first)
    const rejected = rejectedTokens(answer, carried, now())
    const replaced = await Promise.all(
      carried.map(async (each) => (rejected.includes(each) ? await replace(each, deadline) : each)),
    )
    if (replaced.every((each, position) => each === carried[position])) return { answer, origin: first.api.origin }
    log({ event: 'api_call_repeated', connection, reason: 'token_rejected' })
    // The new token may be for another host.
    const second = { connection, api: placed(api, replaced), deadline }
    const again = await sender.send({ ...request, credentials: await credentials(replaced, second.api) }, second)
    return { answer: again, origin: second.api.origin }
  }

  async function tokenFor(wanted: WantedToken, { api, deadline }: Omit<Unplaced, 'connection'>): Promise<CarriedToken> {
    const { token } = await tokens.get(wanted.request, deadline)
    const carried = { ...wanted, token }
    // For some seconds after `hostFrom` was set, memory may have a token of the earlier elements.
    const isMain = wanted.request.authentication === undefined
    return !('hostFrom' in api) || !isMain || token.passedOn ? carried : await replace(carried, deadline)
  }

  async function credentials(
    carried: readonly CarriedToken[],
    { basicAuthentication: basic, origin }: ProtectedApi,
  ): Promise<ApiRequest['credentials']> {
    if (!basic) return credentialsOf(carried, undefined)
    const { id, user, passwordSecret } = basic
    const use = { element: `authData/${id}`, host: new URL(origin).hostname }
    return credentialsOf(carried, {
      user,
      password: readPassword(passwordSecret, await secrets.get(passwordSecret), use),
    })
  }

  function tellOfRefusedHost(connection: string): (error: unknown) => never {
    return function tell(error) {
      const why = error instanceof ApiCallError ? whyRefused(error) : undefined
      if (why) log({ event: 'api_host_refused', connection, why, reason: (error as ApiCallError).message })
      throw error
    }
  }

  /** A token may be bound to a newer client certificate than the one that this process has read (RFC 8705 section 3). */
  async function sendByLatestSecrets(
    request: Omit<ApiRequest, 'credentials'>,
    carried: readonly CarriedToken[],
    destination: CallDestination,
  ): Promise<ApiAnswer> {
    const { connection, api } = destination
    const answer = await sender.send({ ...request, credentials: await credentials(carried, api) }, destination)
    if (answer.status !== unauthorized) return answer
    const used = [api.tls.clientCertificate, api.basicAuthentication?.passwordSecret]
    const refreshed = used.map((name) => name !== undefined && secrets.refresh(name).catch(unlessSecretError))
    if (!(await Promise.all(refreshed)).includes(true)) return answer
    log({ event: 'api_call_repeated', connection, reason: 'newer_secret' })
    return await sender.send({ ...request, credentials: await credentials(carried, api) }, destination)
  }

  /** The same token where it has just replaced another one, and stays. */
  async function replace(carried: CarriedToken, deadline: number): Promise<CarriedToken> {
    const {
      request,
      token: { id },
    } = carried
    try {
      const { token } = await tokens.get({ ...request, rejectedTokenId: id }, deadline)
      return token.id === id ? carried : { ...carried, token }
    } catch (error) {
      if (error instanceof CoolingDownError && !error.failure) return carried
      // Not the API's 401: the caller can't do anything about that.
      throw error
    }
  }
}

/** Where the call goes. The main token names the host where the elements do not. */
function placed(api: ProtectedApi | ApiOfToken, [main]: readonly CarriedToken[]): ProtectedApi {
  if (!('hostFrom' in api)) return api
  if (main) return apiOfToken(api, main.token)
  throw new TypeError('An API whose host a token names has a token.')
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
): Omit<ApiRequest, 'credentials'> {
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
