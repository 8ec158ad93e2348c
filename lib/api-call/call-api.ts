import type { Caller } from '../access-token/caller.ts'
import type { CallerRequest } from '../access-token/token.ts'
import { inTime, type Pause } from '../base/time.ts'
import type { ApiOfToken, ProtectedApi } from '../configuration/api.ts'
import type { Connection } from '../configuration/connection.ts'
import type { ConnectionCache } from '../configuration/connection-cache.ts'
import { ConfigurationError } from '../configuration/finding.ts'
import type { TokenProvider } from '../get-token/get-token.ts'
import type { Log } from '../log/log-event.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import { TimedOutError } from '../token-endpoint/token-endpoint-error.ts'
import { type ApiAnswer, ApiCallError, type ApiEndpoint } from './api-endpoint.ts'
import { type CallCredentials, type CallNeed, createCredentialIssuer } from './call-credentials.ts'
import { forwardedHeaders } from './forwarded-headers.ts'
import { whyRefused } from './host-from.ts'
import { returnedHeaders } from './returned-headers.ts'
import { createCallSender, type PreparedCall } from './send-call.ts'
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

/** A call with all that it needs. */
interface CallInHand {
  readonly need: CallNeed
  readonly request: PreparedCall['request']
  readonly credentials: CallCredentials
}

interface PlacedAnswer {
  readonly answer: ApiAnswer
  /** Where the answer came from. */
  readonly origin: string
}

/** Calls a connection's API with the connection's tokens, or with user and password. */
export function createApiCaller(dependencies: ApiCallerDependencies) {
  const { connections, tokens, secrets, apiEndpoint, now, pause, log } = dependencies
  const issuer = createCredentialIssuer({ tokens, secrets, now, log })
  const sender = createCallSender({ apiEndpoint, now, log })
  return { call }

  /**
   * Returns the API's answer, with the headers that the caller gets. If the API rejects a token or a password, the call is repeated with
   * another one, once for each reason.
   * @param deadline when the caller needs an answer, in milliseconds since the epoch
   * @throws {TokenwellError} the error that kept a token from being obtained
   * @throws {ApiCallError} if the API gives no answer
   */
  async function call(asked: ApiCall, deadline: number): Promise<ApiAnswer> {
    const prepared = await prepare(asked, deadline)
    const { need, request } = prepared
    const { connection, api } = need
    const { answer, origin } = await answerTo(prepared).catch(tellOfRefusedHost(connection.name))
    const place = { api: { ...api, origin }, target: request.target, callerPath: asked.callerPath }
    const { headers, leftOut } = returnedHeaders(answer.headers, place)
    for (const each of leftOut) log({ event: 'api_header_left_out', connection: connection.name, ...each })
    return { ...answer, headers }
  }

  /** The tokens may be those of newer elements, which this instance has just read: only these say what carries them. */
  async function prepare(asked: ApiCall, deadline: number): Promise<CallInHand> {
    const before = await read(asked, deadline)
    const isOvertaken = () => connections.peek(asked.connection) !== before.need.connection
    try {
      const credentials = await issuer.issue(before.need)
      if (!isOvertaken()) return { ...before, credentials }
    } catch (error) {
      if (!isOvertaken()) throw error
    }
    const latest = await read(asked, deadline)
    return { ...latest, credentials: await issuer.issue(latest.need) }
  }

  async function read(asked: ApiCall, deadline: number): Promise<Omit<CallInHand, 'credentials'>> {
    // Only the elements say where the API is. A new `host` changes no token, so no event tells of it: it is used within a minute.
    const outOfTime = () => throwTimedOut(asked.connection)
    const { connection } = await inTime(connections.get(asked.connection), deadline - now(), pause, outOfTime)
    const api = apiOf(connection)
    const request = requestFor(connection.name, api, asked)
    return { need: { connection, api, request: tokenRequestOf(asked), deadline }, request }
  }

  /** Makes the call, and repeats it for each reason of a 401 that can be removed. */
  async function answerTo({ need, request, credentials }: CallInHand): Promise<PlacedAnswer> {
    const connection = need.connection.name
    for (;;) {
      const { api } = credentials
      const answer = await sender.send({ request, credentials }, { connection, api, deadline: need.deadline })
      const change = await credentials.changeAfter(answer)
      if (!change) return { answer, origin: api.origin }
      log({ event: 'api_call_repeated', connection, reason: change })
    }
  }

  function tellOfRefusedHost(connection: string): (error: unknown) => never {
    return function tell(error) {
      const why = error instanceof ApiCallError ? whyRefused(error) : undefined
      if (why) log({ event: 'api_host_refused', connection, why, reason: (error as ApiCallError).message })
      throw error
    }
  }
}

/** The connection's own request, or that of the caller's JWT where the elements say so. */
function tokenRequestOf({ caller, callersClaims, connection }: ApiCall): CallerRequest {
  return { caller, connection, ...(callersClaims && { callersClaims }), further: {} }
}

function throwTimedOut(connection: string): never {
  throw new TimedOutError(
    `The elements of the connection ${connection} could not be read before the caller's deadline. Check whether the element store is slow.`,
  )
}

/** Some APIs refuse a request without it. A caller's own takes its place. */
const ownHeaders = { 'user-agent': 'tokenwell' }

function requestFor(
  connection: string,
  { basePath }: Pick<ProtectedApi, 'basePath'>,
  { method, path, query, headers, cookies, body }: ApiCall,
): PreparedCall['request'] {
  return {
    connection,
    method,
    target: targetWithin(basePath, path, query),
    headers: { ...ownHeaders, ...forwardedHeaders(headers, cookies) },
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
