import { ApiCallError } from '../api-call/api-endpoint.ts'
import { unexpectedReason } from '../base/tokenwell-error.ts'
import { causeOf, isTokenError, type TokenError } from '../get-token/token-error.ts'
import type { RefusedError } from '../token-endpoint/token-endpoint-error.ts'
import { AccessDeniedError } from './access.ts'

/** More than Lambda takes in one event. */
export class RequestTooLargeError extends Error {
  readonly code = 'request_too_large'
  override readonly name = 'RequestTooLargeError'
}

/** There is no such route. */
export class UnknownRouteError extends Error {
  readonly code = 'unknown_route'
  override readonly name = 'UnknownRouteError'
}

const ofRequests = [AccessDeniedError, ApiCallError, RequestTooLargeError, UnknownRouteError] as const

/** All that can come instead of an answer. */
type RequestError = TokenError | InstanceType<(typeof ofRequests)[number]>

function isRequestError(error: unknown): error is RequestError {
  return isTokenError(error) || ofRequests.some((each) => error instanceof each)
}

/** An error as callers get it (RFC 6749 section 5.2), and the code under which it is logged. */
export interface ErrorAnswer {
  readonly status: number
  readonly error: string
  readonly description: string
  readonly retryAfterSeconds?: number
  readonly code: string
  /** The whole reason, for the operator. Holds no secret. */
  readonly reason: string
}

/** Where the server doesn't say when to come back. */
const retryAfterSeconds = 5
const operatorsMatter = 'Its operator finds the reason in the log, by this request id.'

/** The one place where what happened becomes what a caller is told. */
export function errorAnswer(error: unknown): ErrorAnswer {
  if (!isRequestError(error)) return unexpected(error)
  const { code } = causeOf(error)
  return { ...publicAnswer(error), code, reason: error.message }
}

function publicAnswer(error: RequestError): Omit<ErrorAnswer, 'code' | 'reason'> {
  switch (error.code) {
    case 'unknown_route':
    case 'unknown_connection':
      return { status: 404, error: 'invalid_request', description: error.message }
    case 'invalid_request':
      return { status: 400, error: error.error, description: error.message }
    case 'request_too_large':
      return { status: 413, error: 'invalid_request', description: error.message }
    case 'access_denied':
      return { status: 403, error: 'access_denied', description: error.message }
    case 'refused':
      return refusal(error)
    case 'unreadable_answer':
      return {
        status: 502,
        error: 'server_error',
        description: `The authorization server's answer can't be used. ${operatorsMatter}`,
      }
    case 'configuration':
    case 'secret_missing':
    case 'secret_denied':
    case 'secret_unreadable':
    case 'elements_denied':
    case 'key_store':
      return {
        status: 500,
        error: 'server_error',
        description: `This connection is not configured right. ${operatorsMatter}`,
      }
    case 'secret_throttled':
    case 'secret_unreachable':
    case 'elements_throttled':
    case 'elements_unreachable':
      return {
        status: 503,
        error: 'temporarily_unavailable',
        description: "What this connection is configured with can't be read at the moment.",
        retryAfterSeconds,
      }
    case 'unreachable':
      return {
        status: 503,
        error: 'temporarily_unavailable',
        description: "The authorization server can't be reached, or asks to wait.",
        retryAfterSeconds: error.retryAfterSeconds ?? retryAfterSeconds,
      }
    case 'cooling_down':
      return {
        ...(error.failure
          ? publicAnswer(error.failure)
          : { status: 503, error: 'temporarily_unavailable', description: error.message }),
        retryAfterSeconds: error.retryAfterSeconds,
      }
    case 'timed_out':
      return {
        status: 504,
        error: 'temporarily_unavailable',
        description: "The authorization server didn't answer in time.",
        retryAfterSeconds,
      }
    case 'connection_timeout':
    case 'connection_read_timeout':
    case 'http_response_timeout':
      return { status: 504, error: 'temporarily_unavailable', description: describeCall(error) }
    case 'dns_error':
    case 'destination_unavailable':
    case 'destination_ip_unroutable':
    case 'connection_refused':
    case 'connection_terminated':
    case 'tls_protocol_error':
    case 'tls_certificate_error':
    case 'tls_alert_received':
    case 'http_response_body_size':
    case 'http_response_header_section_size':
    case 'http_response_incomplete':
    case 'http_protocol_error':
      return { status: 502, error: 'server_error', description: describeCall(error) }
  }
}

/** A caller has a right to know whether the API may have done what it was asked to. */
function describeCall({ code, message, wasSent }: ApiCallError): string {
  const whatOfIt = wasSent ? 'It may have done what it was asked to.' : 'It was not asked for anything.'
  return code === 'http_response_body_size' ? message : `The API failed (${code}). ${whatOfIt} ${operatorsMatter}`
}

function refusal({ error, fault, message }: RefusedError): Omit<ErrorAnswer, 'code' | 'reason'> {
  switch (fault) {
    case 'caller':
      return { status: 400, error, description: message }
    case 'elements':
      return {
        status: 500,
        error: 'server_error',
        description: `The authorization server refuses what is configured for this connection (${error}). ${operatorsMatter}`,
      }
    case 'client':
      return {
        status: 502,
        error: 'server_error',
        description: `The authorization server refuses this connection's client (${error}). ${operatorsMatter}`,
      }
  }
}

function unexpected(error: unknown): ErrorAnswer {
  return {
    status: 500,
    error: 'server_error',
    description: `Something went wrong here. ${operatorsMatter}`,
    code: 'unexpected',
    reason: unexpectedReason(error),
  }
}

/** RFC 6749 section 5.2: printable ASCII, without quotation mark and backslash. */
export function asDescription(text: string): string {
  return text
    .replaceAll('"', "'")
    .replaceAll('\n', '; ')
    .replace(/[^\x20-\x5b\x5d-\x7e]/g, '?')
}
