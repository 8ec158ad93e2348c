/** The codes of Tokenwell's own errors, as answers, logs, metrics and events name them. */
export const ownErrorCodes = [
  'access_denied',
  'cache',
  'certificate_missing',
  'configuration',
  'connection_disabled',
  'cooling_down',
  'dead_letters',
  'elements_denied',
  'elements_throttled',
  'elements_unreachable',
  'event_bus',
  'invalid_request',
  'key_store',
  'key_service',
  'web_identity',
  'publication_key',
  'publication_refused',
  'record_store',
  'refused',
  'request_too_large',
  'unsupported_media_type',
  'rotation_given_up',
  'rotation_refused',
  'secret_denied',
  'secret_missing',
  'secret_throttled',
  'secret_unreachable',
  'secret_unreadable',
  'timed_out',
  'unknown_connection',
  'unknown_route',
  'unreachable',
  'unreadable_answer',
  'unreadable_event',
] as const

/** The error types of RFC 9209 section 2.3 that an API call can end with. */
export const apiCallErrorCodes = [
  'dns_error',
  'destination_not_found',
  'destination_unavailable',
  'destination_ip_prohibited',
  'destination_ip_unroutable',
  'connection_refused',
  'connection_terminated',
  'connection_timeout',
  'connection_read_timeout',
  'tls_protocol_error',
  'tls_certificate_error',
  'tls_alert_received',
  'http_response_incomplete',
  'http_response_body_size',
  'http_response_header_section_size',
  'http_response_timeout',
  'http_protocol_error',
] as const

export type ApiCallErrorCode = (typeof apiCallErrorCodes)[number]

export type ErrorCode = (typeof ownErrorCodes)[number] | ApiCallErrorCode

/** The end of every message to a caller about a problem that only the operator can fix. */
export const operatorFindsReason = 'The operator finds the reason in the log under this request id.'

/** The base of Tokenwell's errors. Their texts hold no secret. Of any other error, only its name and place are shown. */
export abstract class TokenwellError extends Error {
  abstract readonly code: ErrorCode

  constructor(message: string) {
    super(message)
    this.name = new.target.name
  }

  /** For operators: what happened, to which thing, and what to do. */
  get reason(): string {
    return this.message
  }

  /** What a caller may learn. */
  get publicMessage(): string {
    return `Something went wrong in Tokenwell. ${operatorFindsReason}`
  }

  /** Whether the problem can end without a fix by the operator. */
  get isPassing(): boolean {
    return false
  }
}

/** An error as the log shows it to operators. */
export interface Failure {
  readonly code: ErrorCode | 'unexpected'
  readonly reason: string
}

export function describeFailure(error: unknown): Failure {
  if (error instanceof TokenwellError) return { code: error.code, reason: error.reason }
  return { code: 'unexpected', reason: unexpectedReason(error) }
}

/**
 * Thrown instead of an error that is not a `TokenwellError`: Lambda logs every error that a function throws, with message, stack
 * and all members. It has only the name and place of the original error.
 */
export class UnexpectedError extends Error {
  override readonly name = 'UnexpectedError'
  readonly code = 'unexpected'

  constructor(original: unknown) {
    super(unexpectedReason(original))
  }
}

/** The error that a function may throw: a `TokenwellError` itself, or an `UnexpectedError` for any other. */
export function errorToThrow(error: unknown): Error {
  return error instanceof TokenwellError ? error : new UnexpectedError(error)
}

/** The name and place of an error that is not a `TokenwellError`. Its message is left out, as it may hold a secret. */
export function unexpectedReason(error: unknown): string {
  const frames = error instanceof Error ? framesOf(error) : []
  const kind = error instanceof Error ? error.name : typeof error
  return [kind, ...frames.slice(0, 5)].join(' ')
}

/**
 * A stack begins with name and message, and a line of the message may look like a frame. If the stack does not begin with the
 * current message, or has other lines than frames after it, no frames are shown: they could be parts of the message.
 */
function framesOf({ message, stack = '' }: Error): string[] {
  const [kind = ''] = /^[\w$]+( \[\w+\])?/.exec(stack) ?? []
  const header = message === '' ? kind : `${kind}: ${message}`
  const afterHeader = stack.startsWith(header) ? stack.slice(header.length) : ''
  return /^(?:\n {4}at .+)+$/.test(afterHeader) ? afterHeader.trim().split('\n    ') : []
}
