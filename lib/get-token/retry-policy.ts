import { type Backoff, jitteredDelay } from '../base/time.ts'
import { UnreachableError } from '../token-endpoint/token-endpoint-error.ts'

const maximumRetries = 2
/** Full jitter, so that the instances of a fleet don't retry at the same time. */
const retryBackoff: Backoff = { firstMilliseconds: 200, lastMilliseconds: Infinity }
/** A retry with less time for its answer is not begun. */
const leastTimeForAnswerMilliseconds = 2_000

/**
 * How long to wait before the next attempt. Undefined where no further attempt is made: a refusal stays a refusal, and a request that may
 * have been answered isn't repeated.
 * @param attempt how many attempts were made
 * @param leftMilliseconds until the caller's deadline
 * @param random from 0 up to 1
 */
export function retryDelay(
  error: unknown,
  attempt: number,
  leftMilliseconds: number,
  random: number,
): number | undefined {
  if (!(error instanceof UnreachableError) || error.isLasting || attempt > maximumRetries) return undefined
  if (error.blames === 'token') return undefined
  // After a rate limit (429), a retry is made only where the server says when.
  if (error.blames === 'client' && error.retryAfterSeconds === undefined) return undefined
  const delay = (error.retryAfterSeconds ?? 0) * 1000 + jitteredDelay(retryBackoff, attempt - 1, random)
  return delay + leastTimeForAnswerMilliseconds <= leftMilliseconds ? delay : undefined
}
