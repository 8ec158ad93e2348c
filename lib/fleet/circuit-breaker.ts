import { inTime, type Pause } from '../base/time.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import type { Log } from '../log/log-event.ts'
import { SecretError } from '../secret/secret-store.ts'
import { KeyStoreError } from '../signing/signing-key.ts'
import { RecordStoreError } from './record-store.ts'

/** An instance's first call has a connection to open, and a secret to read. */
export const firstCallMilliseconds = 2_000
/** After a failure nobody of this instance asks for that long. */
const restMilliseconds = 5_000
/** Between two tries while the store asks to wait: full jitter up to this, doubling from the first to the last. */
const throttled = { firstMilliseconds: 50, lastMilliseconds: 1_000 } as const

export interface BudgetParts {
  /** Of one call on a used connection. */
  readonly budgetMilliseconds: number
  readonly now: () => number
  /** From 0 up to 1. */
  readonly random: () => number
  readonly pause: Pause
  readonly log: Log
}

/** The time that the shared cache may cost. Past it the request goes on without. */
export interface Budget {
  /**
   * One call to the shared cache.
   * @param of what is asked for: the keys in the cache's secret, or records, of which the connection is opened by the first
   * @param waitUntil how long to wait, in milliseconds since the epoch, while the store asks to wait: that is no outage
   * @throws {CacheUnavailableError} when it fails, is late, or did so a moment ago
   */
  spend<T>(of: 'keys' | 'records', call: () => Promise<T>, waitUntil: number): Promise<T>
}

export function createBudget({ budgetMilliseconds, now, random, pause, log }: BudgetParts): Budget {
  let isUsed = false
  let firstCallEnd = -Infinity
  let restsUntil = -Infinity
  /** The same each time: to make one is a tenth of what a token costs while there is no cache. */
  const atRest = new CacheUnavailableError('it failed a moment ago')

  /** Until the first records have come all that it takes is one call. */
  function allowedMilliseconds(): number {
    if (isUsed) return budgetMilliseconds
    if (now() >= firstCallEnd) firstCallEnd = now() + firstCallMilliseconds
    return Math.max(budgetMilliseconds, firstCallEnd - now())
  }

  async function once<T>(call: () => Promise<T>): Promise<T> {
    const milliseconds = allowedMilliseconds()
    const running = call()
    // It may fail when nobody listens any more.
    running.catch(() => {})
    return inTime(running, milliseconds, pause, () => {
      throw new RecordStoreError(`no answer within ${milliseconds} ms`)
    })
  }

  function rest(startedAt: number, { message: reason }: Error): CacheUnavailableError {
    // Calls that were under way together fail together: that is one outage.
    if (now() >= restsUntil) log({ event: 'cache_passed_over', reason, milliseconds: now() - startedAt })
    restsUntil = now() + restMilliseconds
    return new CacheUnavailableError(reason)
  }

  return {
    async spend(of, call, waitUntil) {
      const startedAt = now()
      for (let attempt = 0; ; attempt++) {
        if (now() < restsUntil) throw atRest
        try {
          const result = await once(call)
          isUsed ||= of === 'records'
          return result
        } catch (error) {
          if (!isOfCache(error)) throw error
          if (!isThrottled(error)) throw rest(startedAt, error)
          const delay = random() * Math.min(throttled.lastMilliseconds, throttled.firstMilliseconds * 2 ** attempt)
          if (now() + delay >= waitUntil) throw new CacheUnavailableError(error.message)
          await pause(delay)
        }
      }
    },
  }
}

type CacheError = RecordStoreError | SecretError | KeyStoreError

function isOfCache(error: unknown): error is CacheError {
  return error instanceof RecordStoreError || error instanceof SecretError || error instanceof KeyStoreError
}

function isThrottled(error: CacheError): boolean {
  return error instanceof RecordStoreError ? error.isThrottled : error.code === 'secret_throttled'
}

/** The shared cache can't be asked now: a slow day, no outage. Requests go on without it. */
export class CacheUnavailableError extends TokenwellError {
  readonly code = 'cache'

  override get reason(): string {
    return `The shared cache: ${this.message}`
  }

  override get isPassing(): boolean {
    return true
  }
}

/** What the call brings, or that where the cache can't be asked. */
export function unlessUnavailable<T, U>(call: () => Promise<T>, instead: U): Promise<T | U> {
  return call().catch((error) => {
    if (error instanceof CacheUnavailableError) return instead
    throw error
  })
}

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
