import type { Context } from 'aws-lambda'
import { errorToThrow } from '../../lib/base/tokenwell-error.ts'
import type { WarmRun, WarmTokens } from '../../lib/renewal/warm-tokens.ts'

/** Kept back from the function's time-out, to report and to tell who listens. */
const reserveMilliseconds = 3_000

export interface HandlerParts {
  readonly warmTokens: WarmTokens
  readonly now: () => number
}

/**
 * Answers the schedule, whatever it says: one run, whose report is the answer.
 * @throws {CacheUnavailableError} where it isn't known what is due: the next run will see
 * @throws {UnexpectedError} of what isn't ours
 */
export function createHandler({
  warmTokens,
  now,
}: HandlerParts): (event: unknown, context: Context) => Promise<WarmRun> {
  return async (_event, context) => {
    try {
      return await warmTokens(now() + context.getRemainingTimeInMillis() - reserveMilliseconds)
    } catch (error) {
      throw errorToThrow(error)
    }
  }
}
