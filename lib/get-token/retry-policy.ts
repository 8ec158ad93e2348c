import { type Backoff, jitteredDelay } from '../base/time.ts'
import { UnreachableError } from '../token-endpoint/token-endpoint-error.ts'

const maximumRetries = 2
/** Full jitter, so that a fleet doesn't come back all at once. */
const retryBackoff: Backoff = { firstMilliseconds: 200, lastMilliseconds: Infinity }
/** A repetition that can't have an answer by then is not begun. */
const leastTimeForAnswerMilliseconds = 2_000

/**
 * How long to wait before the next attempt; undefined where there is none: what was refused stays refused, and what may
 * have been answered isn't asked again.
 * @param attempt how many there were
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
  // A server that limits its client (429) is asked again only when it says when.
  if (error.blames === 'client' && error.retryAfterSeconds === undefined) return undefined
  const delay = (error.retryAfterSeconds ?? 0) * 1000 + jitteredDelay(retryBackoff, attempt - 1, random)
  return delay + leastTimeForAnswerMilliseconds <= leftMilliseconds ? delay : undefined
}
