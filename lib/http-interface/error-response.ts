import { isElementId } from '../configuration/value-syntax.ts'
import type { Log } from '../log/log-event.ts'
import { asDescription, type ErrorAnswer } from './error-answer.ts'

/** RFC 6749 section 5.1: no one on the way keeps it. */
export const noStore = { 'cache-control': 'no-store', pragma: 'no-cache' } as const

/** An answer as Lambda hands it to an HTTP API, payload format 2.0. */
export interface JsonResponse {
  readonly statusCode: number
  readonly headers: Record<string, string>
  readonly body: string
}

export function jsonResponse(statusCode: number, body: object): JsonResponse {
  return { statusCode, headers: { 'content-type': 'application/json', ...noStore }, body: JSON.stringify(body) }
}

/** RFC 6749 section 5.2, and the request under which the log has the reason. */
export function errorBody(
  { error, description }: Pick<ErrorAnswer, 'error' | 'description'>,
  requestId: string,
): object {
  return { error, error_description: asDescription(description), request_id: requestId }
}

export function errorResponse(answer: ErrorAnswer, requestId: string): JsonResponse {
  const { status, retryAfterSeconds } = answer
  const response = jsonResponse(status, errorBody(answer, requestId))
  return retryAfterSeconds === undefined
    ? response
    : { ...response, headers: { ...response.headers, 'retry-after': String(retryAfterSeconds) } }
}

/** @param connection what the request names as one, read or not */
export function logError(
  log: Log,
  { code, status, reason }: ErrorAnswer,
  requestId: string,
  connection: unknown,
): void {
  const named = typeof connection === 'string' && isElementId(connection) ? { connection } : {}
  log({ event: 'request_failed', code, status, reason, requestId, ...named })
}
