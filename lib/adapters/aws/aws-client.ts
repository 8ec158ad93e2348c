/** Time limits of a call, in milliseconds. */
export interface AwsTimeouts {
  /** For each attempt: until the connection is open. */
  readonly connect: number
  /** For each attempt: until the answer begins, and then between two pieces of it. */
  readonly answer: number
  /** For all attempts together, including the pauses between them. */
  readonly total: number
}

export const defaultAwsTimeouts: AwsTimeouts = { connect: 1_000, answer: 3_000, total: 10_000 }

/** For every AWS client. Without it, NODE_TLS_REJECT_UNAUTHORIZED could turn off the check of certificates. */
export const awsTls = { httpsAgent: { rejectUnauthorized: true } } as const

/**
 * Settings of an SDK client that retries throttled and failed calls for a limited time. Wrap each call in `withinTime`, which also
 * ends the last attempt.
 */
export function awsClientSettings({ connect, answer, total }: AwsTimeouts) {
  return {
    requestHandler: {
      ...awsTls,
      connectionTimeout: connect,
      requestTimeout: answer,
      // Without it the SDK writes a warning to the console when the time is over, and continues to wait.
      throwOnRequestTimeout: true,
      // The request's time-out covers only the time until the first byte of the answer.
      socketTimeout: answer,
    },
    retryStrategy: retryWithin(total),
  }
}

/**
 * Ends a call when the time is over.
 * @throws the error of the call, or a `TimeoutError`. `classifyAwsFailure` reads both.
 */
export function withinTime<T>(
  milliseconds: number,
  call: (options: { readonly abortSignal: AbortSignal }) => Promise<T>,
): Promise<T> {
  const abortSignal = AbortSignal.timeout(milliseconds)
  // A race, because the SDK obeys the signal in its requests and pauses, but not while it reads credentials.
  const timedOut = new Promise<never>((_resolve, reject) => {
    abortSignal.addEventListener('abort', () => reject(abortSignal.reason as Error), { once: true })
  })
  return Promise.race([call({ abortSignal }), timedOut])
}

/** The state that the SDK keeps between the attempts of a call. */
interface Attempts {
  readonly startedAt: number
  getRetryCount(): number
  getRetryDelay(): number
}

type ErrorType = 'THROTTLING' | 'TRANSIENT' | 'SERVER_ERROR' | 'CLIENT_ERROR'

const longestPauseMilliseconds = 4_000
/** No attempt begins in the last tenth of the time. Its time-out would hide why the earlier attempts failed. */
const usefulPart = 0.9

/**
 * Backoff with full jitter until the time is over. The SDK's own strategy limits attempts instead of time, fails at once after a
 * long outage because of its retry quota, and loses the throttling error when the call is aborted.
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
      if (errorType === 'CLIENT_ERROR')
        throw new Error('AWS refused the request. Another attempt would be refused in the same way.')
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
