import { ApiCallError } from '../api-call/api-endpoint.ts'
import { isElementId } from '../configuration/value-syntax.ts'
import type { Log } from '../log/log-event.ts'
import type { ErrorBody } from './answers.ts'
import { asDescription, type ErrorAnswer } from './error-answer.ts'
import type { HttpResponse } from './http-event.ts'

/** RFC 6749 section 5.1: no cache may store the answer. */
export const noStore = { 'cache-control': 'no-store', pragma: 'no-cache' } as const

export function jsonResponse(statusCode: number, body: object): HttpResponse {
  return { statusCode, headers: { 'content-type': 'application/json', ...noStore }, body: JSON.stringify(body) }
}

/** The part of an error that a caller gets. */
type PublicError = Pick<ErrorAnswer, 'status' | 'error' | 'description' | 'retryAfterSeconds'>

/** RFC 6749 section 5.2, and the request id that finds the reason in the log. */
export function errorBody(
  { error, description }: Pick<PublicError, 'error' | 'description'>,
  requestId: string,
): ErrorBody {
  return { error, error_description: asDescription(description), request_id: requestId }
}

export function errorResponse(answer: PublicError, requestId: string): HttpResponse {
  const { status, retryAfterSeconds } = answer
  const response = jsonResponse(status, errorBody(answer, requestId))
  return retryAfterSeconds === undefined
    ? response
    : { ...response, headers: { ...response.headers, 'retry-after': String(retryAfterSeconds) } }
}

/** `proxy-status` (RFC 9209) tells callers that an error is Tokenwell's, not the API's. */
export function withProxyStatus(response: HttpResponse, error: unknown): HttpResponse {
  const type = error instanceof ApiCallError ? error.code : proxyErrorType(response.statusCode)
  return { ...response, headers: { ...response.headers, 'proxy-status': `tokenwell; error=${type}` } }
}

function proxyErrorType(status: number): string {
  if (status === 403) return 'http_request_denied'
  return status < 500 ? 'http_request_error' : 'proxy_internal_error'
}

/** @param connection the name in the request. It is logged only if it is a valid name */
export function logError(
  log: Log,
  { code, status, reason }: ErrorAnswer,
  requestId: string,
  connection: unknown,
): void {
  const named = typeof connection === 'string' && isElementId(connection) ? { connection } : {}
  log({ event: 'request_failed', code, status, reason, requestId, ...named })
}
