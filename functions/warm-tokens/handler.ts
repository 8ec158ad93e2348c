import type { Context } from 'aws-lambda'
import type { BackgroundApplication } from '../../lib/application/application.ts'
import { errorToThrow } from '../../lib/base/tokenwell-error.ts'
import type { WarmRun } from '../../lib/renewal/warm-tokens.ts'

/** Reserved before the function's time-out, to log the report and to raise events. */
const reportReserveMilliseconds = 3_000

interface HandlerDependencies {
  readonly application: Pick<BackgroundApplication, 'warmTokens'>
  readonly now: () => number
}

/** Makes one warm run and returns its report. Ignores the content of the event. */
export function createHandler({ application, now }: HandlerDependencies) {
  /**
   * @throws {CacheUnavailableError} if the due tokens cannot be read. The next run tries again
   * @throws {UnexpectedError} instead of any error that is not a `TokenwellError`
   */
  return async function runOnSchedule(_event: unknown, context: Context): Promise<WarmRun> {
    try {
      return await application.warmTokens(now() + context.getRemainingTimeInMillis() - reportReserveMilliseconds)
    } catch (error) {
      throw errorToThrow(error)
    }
  }
}
