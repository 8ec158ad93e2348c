import { unexpectedReason } from '../../lib/log/unexpected-reason.ts'
import { causeOf, isTokenError, type TokenError } from '../../lib/token/token-error.ts'
import type { RefusedError } from '../../lib/token-endpoint/token-endpoint-error.ts'
import { AccessDeniedError } from './access-denied-error.ts'
import { UnknownRouteError } from './unknown-route-error.ts'

/** All that can come instead of an answer. */
type RequestError = TokenError | AccessDeniedError | UnknownRouteError

function isRequestError(error: unknown): error is RequestError {
  return isTokenError(error) || error instanceof AccessDeniedError || error instanceof UnknownRouteError
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
  }
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
