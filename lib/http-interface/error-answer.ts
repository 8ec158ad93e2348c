import { InvalidRequestError } from '../admission/invalid-request.ts'
import { operatorFindsReason, TokenwellError, unexpectedReason } from '../base/tokenwell-error.ts'
import { CoolingDownError, causeOf } from '../get-token/token-error.ts'
import { RefusedError, UnreachableError } from '../token-endpoint/token-endpoint-error.ts'

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

/** When callers may try again, if the authorization server doesn't say it. */
const retryAfterSeconds = 5

/** Turns an error into the answer that a caller gets. No other code does so. */
export function errorAnswer(error: unknown): ErrorAnswer {
  if (!(error instanceof TokenwellError)) return { ...unexpected, reason: unexpectedReason(error) }
  const answer = {
    ...statusOf(error),
    description: error.publicMessage,
    code: causeOf(error).code,
    reason: error.reason,
  }
  return error instanceof CoolingDownError ? { ...answer, retryAfterSeconds: error.retryAfterSeconds } : answer
}

const unexpected = {
  status: 500,
  error: 'server_error',
  description: `Something went wrong in Tokenwell. ${operatorFindsReason}`,
  code: 'unexpected',
} as const

type PublicStatus = Pick<ErrorAnswer, 'status' | 'error' | 'retryAfterSeconds'>

const temporarily = { status: 503, error: 'temporarily_unavailable' } as const
const tooLate = { status: 504, error: 'temporarily_unavailable' } as const

function statusOf(error: TokenwellError): PublicStatus {
  switch (error.code) {
    case 'unknown_route':
    case 'unknown_connection':
      return { status: 404, error: 'invalid_request' }
    case 'invalid_request':
      return { status: 400, error: error instanceof InvalidRequestError ? error.error : 'invalid_request' }
    case 'request_too_large':
      return { status: 413, error: 'invalid_request' }
    case 'unsupported_media_type':
      return { status: 415, error: 'invalid_request' }
    case 'certificate_missing':
      return { status: 401, error: 'invalid_client' }
    case 'access_denied':
      return { status: 403, error: 'access_denied' }
    // Not 503: clients repeat a 503, but the connection stays disabled until the operator acts.
    case 'connection_disabled':
      return { status: 403, error: 'connection_disabled' }
    case 'refused':
      return error instanceof RefusedError ? statusOfRefusal(error) : { status: 502, error: 'server_error' }
    case 'configuration':
    case 'secret_missing':
    case 'secret_denied':
    case 'secret_unreadable':
    case 'elements_denied':
    case 'key_store':
      return { status: 500, error: 'server_error' }
    case 'key_service':
    case 'web_identity':
      return error.isPassing ? { ...temporarily, retryAfterSeconds } : { status: 500, error: 'server_error' }
    case 'secret_throttled':
    case 'secret_unreachable':
    case 'elements_throttled':
    case 'elements_unreachable':
    case 'cache':
    case 'publication_key':
    case 'publication_refused':
      return { ...temporarily, retryAfterSeconds }
    case 'unreachable':
      return { ...temporarily, retryAfterSeconds: retryAfterOf(error) ?? retryAfterSeconds }
    case 'cooling_down':
      return error instanceof CoolingDownError && error.failure ? statusOf(error.failure) : temporarily
    case 'timed_out':
      return { ...tooLate, retryAfterSeconds }
    case 'connection_timeout':
    case 'connection_read_timeout':
    case 'http_response_timeout':
      return tooLate
    case 'unreadable_answer':
    case 'dns_error':
    case 'destination_not_found':
    case 'destination_unavailable':
    case 'destination_ip_prohibited':
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
      return { status: 502, error: 'server_error' }
    case 'dead_letters':
    case 'event_bus':
    case 'record_store':
    case 'rotation_given_up':
    case 'rotation_refused':
    case 'unreadable_event':
      return { status: 500, error: 'server_error' }
  }
}

function retryAfterOf(error: TokenwellError): number | undefined {
  return error instanceof UnreachableError ? error.retryAfterSeconds : undefined
}

/** What servers also say of a subject token. RFC 8693 section 2.2.2 has `invalid_request`. */
const refusalsOfTokens: readonly string[] = ['invalid_token', 'invalid_client']

/** A server that gave no code has refused the caller's user or password (RFC 6749 section 5.2). */
function codeForCaller(error: string): string {
  if (refusalsOfTokens.includes(error)) return 'invalid_request'
  return error.startsWith('http_') ? 'invalid_grant' : error
}

function statusOfRefusal({ error, fault }: RefusedError): PublicStatus {
  if (fault === 'caller') return { status: 400, error: codeForCaller(error) }
  return { status: fault === 'elements' ? 500 : 502, error: 'server_error' }
}

/** RFC 6749 section 5.2: printable ASCII, without quotation mark and backslash. */
export function asDescription(text: string): string {
  return text
    .replaceAll('"', "'")
    .replaceAll('\n', '; ')
    .replace(/[^\x20-\x5b\x5d-\x7e]/g, '?')
}
