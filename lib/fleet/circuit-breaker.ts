import { type Backoff, inTime, jitteredDelay, type Pause } from '../base/time.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import type { Log } from '../log/log-event.ts'
import { SecretError } from '../secret/secret-store.ts'
import { KeyStoreError } from '../signing/signing-key.ts'
import { RecordStoreError } from './record-store.ts'

/** An instance's first call has a connection to open, and a secret to read. */
export const firstCallMilliseconds = 2_000
/** After a failure this instance leaves the shared cache alone for that long. */
const openMilliseconds = 5_000
/** Between two tries while the store asks to wait. */
const throttled: Backoff = { firstMilliseconds: 50, lastMilliseconds: 1_000 }
const unavailablePauseMilliseconds = 1_000

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

export interface CircuitBreakerDependencies {
  /** Time for one call on a used connection. */
  readonly budgetMilliseconds: number
  readonly now: () => number
  /** From 0 up to 1. */
  readonly random: () => number
  readonly pause: Pause
  readonly log: Log
}

/** Limits the time that the shared cache may cost. Past it requests go on without the cache. */
export interface CircuitBreaker {
  /**
   * One call to the shared cache.
   * @param what is asked for: the keys in the cache's secret, or records; the first call for records opens their connection
   * @param waitUntil how long to wait, in milliseconds since the epoch, while the store asks to wait: that is no outage
   * @throws {CacheUnavailableError} when it fails, is late, or did so a moment ago; or where it does not take that one record
   */
  call<T>(what: 'keys' | 'records', send: () => Promise<T>, waitUntil: number): Promise<T>
}

export function createCircuitBreaker(dependencies: CircuitBreakerDependencies): CircuitBreaker {
  const { budgetMilliseconds, now, random, pause, log } = dependencies
  let isConnected = false
  let firstCallEnd = -Infinity
  let openUntil = -Infinity

  /** Until the first records have come, all calls together have the time of a first call. */
  function allowedMilliseconds(): number {
    if (isConnected) return budgetMilliseconds
    if (now() >= firstCallEnd) firstCallEnd = now() + firstCallMilliseconds
    return Math.max(budgetMilliseconds, firstCallEnd - now())
  }

  async function callOnce<T>(send: () => Promise<T>): Promise<T> {
    const milliseconds = allowedMilliseconds()
    const sending = send()
    // It may fail when nobody listens any more.
    sending.catch(() => {})
    return await inTime(sending, milliseconds, pause, () => {
      throw new RecordStoreError(`no answer within ${milliseconds} ms`)
    })
  }

  function open(startedAt: number, { message: reason }: Error): CacheUnavailableError {
    // Calls that were under way together fail together: that is one outage.
    if (now() >= openUntil) log({ event: 'cache_passed_over', reason, milliseconds: now() - startedAt })
    openUntil = now() + openMilliseconds
    return new CacheUnavailableError(reason)
  }

  /** It says nothing of any other record. */
  function notTaken({ message: reason }: Error): CacheUnavailableError {
    log({ event: 'record_not_taken', reason })
    return new CacheUnavailableError(reason)
  }

  return {
    async call(what, send, waitUntil) {
      const startedAt = now()
      for (let tries = 0; ; tries++) {
        if (now() < openUntil) throw new CacheUnavailableError('it failed a moment ago')
        try {
          const result = await callOnce(send)
          isConnected ||= what === 'records'
          return result
        } catch (error) {
          if (!isOfCache(error)) throw error
          if (isNotTaken(error)) throw notTaken(error)
          if (!isThrottled(error)) throw open(startedAt, error)
          const delay = jitteredDelay(throttled, tries, random())
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

function isNotTaken(error: CacheError): boolean {
  return error instanceof RecordStoreError && error.isNotTaken
}

/** What the call brings, or `instead` where the cache can't be asked. */
export async function unlessUnavailable<T, U>(call: () => Promise<T>, instead: U): Promise<T | U> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof CacheUnavailableError) return instead
    throw error
  }
}

/**
 * What the call brings. While the shared cache can't be asked it is called again, for work that nothing does later.
 * @param until milliseconds since the epoch
 * @throws {CacheUnavailableError}
 */
export async function retryWhileCacheUnavailable<T>(
  call: () => Promise<T>,
  until: number,
  now: () => number,
  pause: Pause,
): Promise<T> {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof CacheUnavailableError) || now() + unavailablePauseMilliseconds > until) throw error
      await pause(unavailablePauseMilliseconds)
    }
  }
}
