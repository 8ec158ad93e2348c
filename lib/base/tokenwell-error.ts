/** The codes of Tokenwell's own errors, as answers, logs, metrics and events name them. */
export const ownErrorCodes = [
  'access_denied',
  'cache',
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

/** The error types of RFC 9209 section 2.3 that a call of an API can end in. */
export const apiCallErrorCodes = [
  'dns_error',
  'destination_unavailable',
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

/** Ends what a caller is told of something that only an operator can mend. */
export const operatorFindsReason = 'The operator finds the reason in the log under this request id.'

/** The base of all errors of ours. None of its texts holds a secret; of any other error nothing is shown but kind and place. */
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

  /** What a caller may be told. */
  get publicMessage(): string {
    return `Something went wrong in Tokenwell. ${operatorFindsReason}`
  }

  /** Whether it passes without anybody mending anything. */
  get isPassing(): boolean {
    return false
  }
}

/** An error as operators read it in the log. */
export interface Failure {
  readonly code: ErrorCode | 'unexpected'
  readonly reason: string
}

export function describeFailure(error: unknown): Failure {
  if (error instanceof TokenwellError) return { code: error.code, reason: error.reason }
  return { code: 'unexpected', reason: unexpectedReason(error) }
}

/**
 * Thrown in place of an error that isn't ours: Lambda writes whatever a function throws into its log, with message, stack and
 * all members. It has the kind of the original, and where that happened.
 */
export class UnexpectedError extends Error {
  override readonly name = 'UnexpectedError'
  readonly code = 'unexpected'

  constructor(original: unknown) {
    super(unexpectedReason(original))
  }
}

/** What a function may throw of an error: the error itself if it is ours, else its kind and place. */
export function errorToThrow(error: unknown): Error {
  return error instanceof TokenwellError ? error : new UnexpectedError(error)
}

/** Of an error that isn't ours, whose message may hold anything, only its kind and where it happened. */
export function unexpectedReason(error: unknown): string {
  const frames = error instanceof Error ? framesOf(error) : []
  const kind = error instanceof Error ? error.name : typeof error
  return [kind, ...frames.slice(0, 5)].join(' ')
}

/**
 * A stack begins with kind and message, of which a line may look like a frame. Where it doesn't begin with the message as it
 * is now, or goes on by anything but frames, nobody can tell them apart, and there are none.
 */
function framesOf({ message, stack = '' }: Error): string[] {
  const [kind = ''] = /^[\w$]+( \[\w+\])?/.exec(stack) ?? []
  const header = message === '' ? kind : `${kind}: ${message}`
  const afterHeader = stack.startsWith(header) ? stack.slice(header.length) : ''
  return /^(?:\n {4}at .+)+$/.test(afterHeader) ? afterHeader.trim().split('\n    ') : []
}
