import type { Context } from 'aws-lambda'
import type { BackgroundApplication } from '../../lib/application/application.ts'
import { errorToThrow } from '../../lib/base/tokenwell-error.ts'
import type { WarmRun } from '../../lib/renewal/warm-tokens.ts'

/** Kept back from the function's time-out, to log the report and to raise events. */
const reportReserveMilliseconds = 3_000

interface HandlerDependencies {
  readonly application: Pick<BackgroundApplication, 'warmTokens'>
  readonly now: () => number
}

/** Answers the schedule, whatever its event says, with the report of one run. */
export function createHandler({ application, now }: HandlerDependencies) {
  /**
   * @throws {CacheUnavailableError} if the shared cache can't say which tokens are due: the next run asks again
   * @throws {UnexpectedError} in place of any error that isn't ours
   */
  return async function runOnSchedule(_event: unknown, context: Context): Promise<WarmRun> {
    try {
      return await application.warmTokens(now() + context.getRemainingTimeInMillis() - reportReserveMilliseconds)
    } catch (error) {
      throw errorToThrow(error)
    }
  }
}
