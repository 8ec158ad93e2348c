import type { Context } from 'aws-lambda'
import type { Caller } from '../../lib/access-token/caller.ts'
import { InvalidRequestError } from '../../lib/admission/invalid-request.ts'
import { type ApiAnswer, ApiCallError, callMethods, maximumPayloadBytes } from '../../lib/api-call/api-endpoint.ts'
import type { ApiCall } from '../../lib/api-call/call-api.ts'
import type { CallingApplication } from '../../lib/application/application.ts'
import { decodeUtf8 } from '../../lib/base/decoding.ts'
import { TokenwellError } from '../../lib/base/tokenwell-error.ts'
import type { Deployment } from '../../lib/configuration/deployment.ts'
import { callerOf, callersClaimsOf } from '../../lib/http-interface/access.ts'
import { createEntrance } from '../../lib/http-interface/entrance.ts'
import type { DirectEntry, EntrySettings, UnqualifiedEntry } from '../../lib/http-interface/entry.ts'
import type { ErrorAnswer } from '../../lib/http-interface/error-answer.ts'
import { errorResponse, withProxyStatus } from '../../lib/http-interface/error-response.ts'
import {
  bodyOf,
  type HttpEvent,
  type HttpResponse,
  hasLostBytes,
  namedConnection,
} from '../../lib/http-interface/http-event.ts'
import { createHttpFunction, deadlineOf } from '../../lib/http-interface/http-function.ts'
import type { Log } from '../../lib/log/log-event.ts'
import { readDirectCall } from './direct-call.ts'

/** The limit for the whole call. An HTTP API waits 29 s for its integration, and the start of an instance takes a part of that. */
const callMilliseconds = 27_000
const methods: readonly string[] = callMethods

interface HandlerDependencies extends EntrySettings {
  readonly application: CallingApplication
  readonly deployment: Pick<Deployment, 'isLambda'>
  readonly connectionsClaim?: string
  readonly now: () => number
  readonly log: Log
}

/** Answers `ANY /connections/{connection}/api/{path+}` and direct requests with the answer of the connection's API. */
export function createHandler(dependencies: HandlerDependencies) {
  const { application, deployment, earlierRecords, connectionsClaim, now, log } = dependencies
  const routes = [{ method: 'ANY', path: '/connections/{connection}/api/{path+}', answer: callApi }]
  const answerHttp = createHttpFunction({ routes, connectionsClaim, application, isProxy: true, log })
  return createEntrance({ answerHttp, answerDirectly, directErrorAnswer, isProxy: true, earlierRecords, log })

  /** As if the request had come by HTTP. The entry alone decides which connection it may use. */
  async function answerDirectly(
    request: unknown,
    context: Context,
    entry: DirectEntry | UnqualifiedEntry,
  ): Promise<HttpResponse> {
    // Version 0.1 had no direct requests.
    if (entry.kind === 'unqualified') return await answerHttp(request, context, entry)
    return await answerHttp(readDirectCall(request, entry), context, entry)
  }

  async function callApi(event: HttpEvent, context: Context): Promise<HttpResponse> {
    const deadline = deadlineOf(context, now(), callMilliseconds)
    return apiResponse(await application.callApi(readApiCall(event, callerOf(event, deployment)), deadline))
  }
}

function directErrorAnswer(answer: ErrorAnswer, requestId: string, error: unknown): HttpResponse {
  return withProxyStatus(errorResponse(answer, requestId), error)
}

/**
 * @throws {InvalidRequestError}
 * @throws {RequestTooLargeError}
 * @throws {LostBytesError}
 */
function readApiCall(event: HttpEvent, caller: Caller): ApiCall {
  const { pathParameters, requestContext, rawQueryString, headers, cookies } = event
  const { connection, path = '' } = pathParameters
  const { method } = requestContext.http
  if (!methods.includes(method)) throw new InvalidRequestError('method', `must be one of ${methods.join(', ')}.`)
  if (event.body.length > maximumPayloadBytes) throw new RequestTooLargeError()
  if (hasLostBytes(event)) throw new LostBytesError()
  const name = namedConnection(connection)
  const callersClaims = callersClaimsOf(event)
  return {
    caller,
    ...(callersClaims && { callersClaims }),
    connection: name,
    callerPath: `${event.basePath}/connections/${name}/api`,
    method,
    path,
    query: rawQueryString,
    headers,
    cookies,
    ...(event.body !== '' && { body: bodyOf(event) }),
  }
}

/** API Gateway has changed the request's body, and the API would get the changed body (RFC 9110 section 15.5.16). */
class LostBytesError extends TokenwellError {
  readonly code = 'unsupported_media_type'

  constructor() {
    super(
      'The request body is compressed, or it has a text type and is not UTF-8. API Gateway changes the bytes of such a body. Send UTF-8 without Content-Encoding, or use the content type application/octet-stream.',
    )
  }

  override get publicMessage(): string {
    return this.message
  }
}

/** The request's body is larger than Lambda's limit. */
class RequestTooLargeError extends TokenwellError {
  readonly code = 'request_too_large'

  constructor() {
    super(
      `The request body is larger than ${maximumPayloadBytes} bytes (6 MB), the limit of AWS Lambda. Send a smaller body.`,
    )
  }

  override get publicMessage(): string {
    return this.message
  }
}

/**
 * The API's answer in the form that an HTTP API accepts, payload format 2.0.
 * @throws {ApiCallError} if it is larger than Lambda's limit
 */
function apiResponse({ status, headers, body }: ApiAnswer): HttpResponse {
  const { 'set-cookie': cookies, ...others } = headers
  const response = {
    statusCode: status,
    headers: Object.fromEntries(Object.entries(others).map(([name, value]) => [name, [value].flat().join(', ')])),
    ...(cookies !== undefined && { cookies: [cookies].flat() }),
    ...encodedBody(body),
  }
  const size = Buffer.byteLength(JSON.stringify(response))
  if (size > maximumPayloadBytes)
    throw new ApiCallError(
      'http_response_body_size',
      `The API's answer takes ${size} bytes, but AWS Lambda returns at most ${maximumPayloadBytes} bytes (6 MB). Request less data in each call.`,
      { wasSent: true },
    )
  return response
}

/** Sends text unchanged, unless JSON escapes make it longer than base64. Sends everything else in base64. */
function encodedBody(body: Uint8Array): { readonly body: string; readonly isBase64Encoded: boolean } {
  const text = decodeUtf8(body, { ignoreBOM: true })
  const base64Length = 4 * Math.ceil(body.length / 3)
  if (text !== undefined && Buffer.byteLength(JSON.stringify(text)) <= base64Length + '""'.length)
    return { body: text, isBase64Encoded: false }
  return { body: Buffer.from(body).toString('base64'), isBase64Encoded: true }
}
