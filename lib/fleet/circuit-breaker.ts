import { type Backoff, inTime, jitteredDelay, type Pause } from '../base/time.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import type { Log } from '../log/log-event.ts'
import { SecretError } from '../secret/secret-store.ts'
import { KeyStoreError } from '../signing/signing-key.ts'
import { RecordStoreError } from './record-store.ts'

/** The first call of an instance has to open a connection and read a secret. */
export const firstCallMilliseconds = 2_000
/** After a failure, an instance makes no call to the shared cache for this time. */
const openSeconds = 5
/** The pause between two tries while the store asks to wait. */
const throttled: Backoff = { firstMilliseconds: 50, lastMilliseconds: 1_000 }
const unavailablePauseMilliseconds = 1_000

/** The shared cache can't be used now. Requests go on without it, more slowly. */
export class CacheUnavailableError extends TokenwellError {
  readonly code = 'cache'

  override get reason(): string {
    return `The shared cache is unavailable. ${this.message}`
  }

  override get isPassing(): boolean {
    return true
  }
}

export interface CircuitBreakerDependencies {
  /** The time for one call on an open connection. */
  readonly budgetMilliseconds: number
  readonly now: () => number
  /** From 0 up to 1. */
  readonly random: () => number
  readonly pause: Pause
  readonly log: Log
}

/** Limits the time that a request spends on the shared cache. After that the request goes on without the cache. */
export interface CircuitBreaker {
  /**
   * Makes one call to the shared cache.
   * @param what the call needs: the keys in the cache's secret, or records. The first call for records opens a connection
   * @param waitUntil until when to retry while the store asks to wait, in milliseconds since the epoch. That is not an outage
   * @throws {CacheUnavailableError} when the call fails or is late, when one did so within the last 5 s, or when the store rejects this
   * one record
   */
  call<T>(what: 'keys' | 'records', send: () => Promise<T>, waitUntil: number): Promise<T>
}

export function createCircuitBreaker(dependencies: CircuitBreakerDependencies): CircuitBreaker {
  const { budgetMilliseconds, now, random, pause, log } = dependencies
  let isConnected = false
  let firstCallEnd = -Infinity
  let openUntil = -Infinity

  /** Until the first records have arrived, all calls together have the time of one first call. */
  function allowedMilliseconds(): number {
    if (isConnected) return budgetMilliseconds
    if (now() >= firstCallEnd) firstCallEnd = now() + firstCallMilliseconds
    return Math.max(budgetMilliseconds, firstCallEnd - now())
  }

  async function callOnce<T>(send: () => Promise<T>): Promise<T> {
    const milliseconds = allowedMilliseconds()
    const sending = send()
    // It may fail after the time is over. Without a handler that would end the process.
    sending.catch(() => {})
    return await inTime(sending, milliseconds, pause, () => {
      throw new RecordStoreError(`The shared cache did not answer within ${milliseconds} ms.`)
    })
  }

  function open(startedAt: number, { message: reason }: Error): CacheUnavailableError {
    // Calls that were under way together fail together: that is one outage, and logged once.
    if (now() >= openUntil) log({ event: 'cache_passed_over', reason, milliseconds: now() - startedAt })
    openUntil = now() + openSeconds * 1000
    return new CacheUnavailableError(reason)
  }

  /** The store rejects one record. Other records are not affected, so that the circuit stays closed. */
  function notTaken({ message: reason }: Error): CacheUnavailableError {
    log({ event: 'record_not_taken', reason })
    return new CacheUnavailableError(reason)
  }

  return {
    async call(what, send, waitUntil) {
      const startedAt = now()
      for (let tries = 0; ; tries++) {
        if (now() < openUntil)
          throw new CacheUnavailableError(
            `A call to the shared cache failed less than ${openSeconds} s ago. This instance calls it again after that time.`,
          )
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

/** The result of the call, or `instead` where the shared cache is unavailable. */
export async function unlessUnavailable<T, U>(call: () => Promise<T>, instead: U): Promise<T | U> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof CacheUnavailableError) return instead
    throw error
  }
}

/**
 * The result of the call. While the shared cache is unavailable the call is repeated: for work that no later request repeats.
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
