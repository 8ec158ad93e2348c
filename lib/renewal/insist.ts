import type { Pause } from '../token/in-time.ts'
import { CacheUnavailableError } from '../token-cache/cache-unavailable-error.ts'

const pauseMilliseconds = 1_000

/**
 * What the call brings. Where the shared cache can't be asked it is called again until then: who would come again later would
 * come too late.
 * @param until milliseconds since the epoch
 * @throws {CacheUnavailableError}
 */
export async function insist<T>(call: () => Promise<T>, until: number, now: () => number, pause: Pause): Promise<T> {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof CacheUnavailableError) || now() + pauseMilliseconds > until) throw error
      await pause(pauseMilliseconds)
    }
  }
}
