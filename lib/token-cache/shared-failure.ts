import {
  RefusedError,
  TimedOutError,
  type TokenEndpointError,
  UnreachableError,
  UnreadableAnswerError,
} from '../token-endpoint/token-endpoint-error.ts'

/** A failure as the fleet shares it: what its message says is said to everyone anyway. */
export function writeFailure(error: TokenEndpointError): string {
  const { code, message } = error
  return JSON.stringify({
    code,
    message,
    ...(error instanceof RefusedError && { error: error.error, fault: error.fault }),
  })
}

/** @returns undefined where it is none that this version writes */
export function readFailure(text: string): TokenEndpointError | undefined {
  const { code, message, error, fault } = parse(text)
  if (typeof message !== 'string') return undefined
  switch (code) {
    case 'unreachable':
      return new UnreachableError(message)
    case 'timed_out':
      return new TimedOutError(message)
    case 'unreadable_answer':
      return new UnreadableAnswerError(message)
    case 'refused':
      if (typeof error !== 'string' || (fault !== 'caller' && fault !== 'elements' && fault !== 'client'))
        return undefined
      return new RefusedError(message, error, fault)
    default:
      return undefined
  }
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text)) as Readonly<Record<string, unknown>>
  } catch {
    return {}
  }
}
