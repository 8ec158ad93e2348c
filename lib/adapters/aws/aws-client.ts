/** How long a call may take, in milliseconds. */
export interface AwsTimeouts {
  /** Of each attempt: until the connection stands. */
  readonly connect: number
  /** Of each attempt: until the answer begins, and then between any two pieces of it. */
  readonly answer: number
  /** Of all attempts together, with the pauses between them. */
  readonly total: number
}

export const defaultAwsTimeouts: AwsTimeouts = { connect: 1_000, answer: 3_000, total: 10_000 }

/** For every client of AWS: without it, NODE_TLS_REJECT_UNAUTHORIZED would turn off the check of certificates. */
export const awsTls = { httpsAgent: { rejectUnauthorized: true } } as const

/**
 * Settings of an SDK client that waits out throttling and outages, though not for ever. Each call belongs inside
 * `withinTime`, which ends the last attempt too.
 */
export function awsClientSettings({ connect, answer, total }: AwsTimeouts) {
  return {
    requestHandler: {
      ...awsTls,
      connectionTimeout: connect,
      requestTimeout: answer,
      // Without it the SDK writes a warning to the console when the time is over, and waits on.
      throwOnRequestTimeout: true,
      // The request's time-out ends with the answer's first byte.
      socketTimeout: answer,
    },
    retryStrategy: retryWithin(total),
  }
}

/** @throws what the call throws, or a `TimeoutError` once the time is over: `classifyAwsFailure` knows both */
export function withinTime<T>(
  milliseconds: number,
  call: (options: { readonly abortSignal: AbortSignal }) => Promise<T>,
): Promise<T> {
  const abortSignal = AbortSignal.timeout(milliseconds)
  // A race, for the SDK heeds the signal in its requests and pauses, but not while it looks for credentials.
  const timedOut = new Promise<never>((_resolve, reject) => {
    abortSignal.addEventListener('abort', () => reject(abortSignal.reason as Error), { once: true })
  })
  return Promise.race([call({ abortSignal }), timedOut])
}

/** What the SDK keeps of a call between its attempts. */
interface Attempts {
  readonly startedAt: number
  getRetryCount(): number
  getRetryDelay(): number
}

type ErrorType = 'THROTTLING' | 'TRANSIENT' | 'SERVER_ERROR' | 'CLIENT_ERROR'

const longestPauseMilliseconds = 4_000
/** No attempt begins in the last tenth of the time: it would only hide why the others failed. */
const usefulPart = 0.9

/**
 * Backoff with full jitter until the time is over. The SDK's own strategy counts attempts instead of time, fails at once
 * after a long outage (its retry quota), and at an abort forgets that it was throttled.
 */
function retryWithin(totalMilliseconds: number) {
  return {
    async acquireInitialRetryToken(): Promise<Attempts> {
      return attempts(performance.now(), 0, 0)
    },
    async refreshRetryTokenForRetry(
      last: Attempts,
      { errorType }: { readonly errorType: ErrorType },
    ): Promise<Attempts> {
      if (errorType === 'CLIENT_ERROR') throw new Error('Another attempt would fail in the same way.')
      const count = last.getRetryCount()
      const pause = Math.random() * longestPause(errorType, count)
      const pauseEnd = performance.now() + pause - last.startedAt
      if (pauseEnd > totalMilliseconds * usefulPart) throw new Error('No time is left for another attempt.')
      return attempts(last.startedAt, count + 1, pause)
    },
    recordSuccess() {},
  }
}

function longestPause(errorType: ErrorType, count: number): number {
  return Math.min(longestPauseMilliseconds, (errorType === 'THROTTLING' ? 500 : 100) * 2 ** count)
}

function attempts(startedAt: number, count: number, pauseMilliseconds: number): Attempts {
  return { startedAt, getRetryCount: () => count, getRetryDelay: () => pauseMilliseconds }
}
