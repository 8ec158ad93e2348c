import { unexpectedReason } from '../log/unexpected-reason.ts'
import { CacheUnavailableError } from '../token-cache/cache-unavailable-error.ts'
import { isTokenError } from './token-error.ts'

/** For operators, as it stands in the log. */
export interface Failure {
  readonly code: string
  readonly reason: string
}

interface OurError extends Error {
  readonly code: string
}

/**
 * Our errors hold no secret; of any other only its kind and place are kept.
 * @param classes of those that may come beside `TokenError` and `CacheUnavailableError`
 */
export function describeFailure(error: unknown, classes: readonly (new (...args: never[]) => OurError)[]): Failure {
  if (isTokenError(error)) return { code: error.code, reason: error.message }
  if (error instanceof CacheUnavailableError) return { code: 'cache', reason: `The shared cache: ${error.message}` }
  for (const each of classes) if (error instanceof each) return { code: error.code, reason: error.message }
  return { code: 'unexpected', reason: unexpectedReason(error) }
}
