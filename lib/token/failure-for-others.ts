import type { FailureToShare } from '../token-cache/lease.ts'
import { UnreadableAnswerError } from '../token-endpoint/token-endpoint-error.ts'
import { CoolingDownError } from './cooling-down-error.ts'

/** What cools down beyond one token ends for all of them at once: each record says so only for a moment. */
const widerMilliseconds = 2_000

/** What the fleet is told: what the token endpoint did. Of our own faults each process has to see for itself. */
export function failureForOthers(error: unknown, now: number): FailureToShare {
  if (error instanceof UnreadableAnswerError) return { error }
  if (!(error instanceof CoolingDownError) || !error.failure) return {}
  const retryAt = now + error.retryAfterSeconds * 1000
  const told = { error: error.failure, retryAt }
  if (!error.began) return told
  return { ...told, until: error.began === 'token' ? retryAt : Math.min(retryAt, now + widerMilliseconds) }
}
