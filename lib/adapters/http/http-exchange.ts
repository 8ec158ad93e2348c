import type { Dispatcher } from './undici.ts'

/** Headers as undici reads them, with names in lower case. */
type Headers = Readonly<Record<string, string | string[] | undefined>>

export interface HttpAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
}

export interface ExchangeLimits {
  /** The longest time without a byte from the server. */
  readonly receiveMilliseconds: number
  /** The time for everything: waiting for a connection, opening it, sending, and the whole answer. */
  readonly totalMilliseconds: number
  readonly maximumBytes: number
}

/** An answer is larger than `maximumBytes`. */
export class AnswerTooLargeError extends Error {
  readonly code = 'ERR_ANSWER_TOO_LARGE'
  override readonly name = 'AnswerTooLargeError'
}

/** How far an exchange came. It decides whether the request may be repeated. */
export interface ExchangeProgress {
  /** The request was written to a connection, at least in part. */
  isSent: boolean
  /** At least one byte of an answer came. */
  isAnswered: boolean
}

/**
 * Sends one request and reads its whole answer, within limits of time and size. Do not use the client again after an error.
 * @throws {AnswerTooLargeError}
 * @throws {DOMException} a `TimeoutError` when the time is over
 * @throws the errors of undici
 */
export async function exchange(
  client: Pick<Dispatcher, 'dispatch'>,
  request: Dispatcher.DispatchOptions,
  { receiveMilliseconds, totalMilliseconds, maximumBytes }: ExchangeLimits,
  progress: ExchangeProgress = { isSent: false, isAnswered: false },
): Promise<HttpAnswer> {
  const exchanged = Promise.withResolvers<HttpAnswer>()
  const bounded = { ...request, headersTimeout: receiveMilliseconds, bodyTimeout: receiveMilliseconds }
  client.dispatch(bounded, answerReader(maximumBytes, progress, exchanged))
  return await withinTime(exchanged.promise, totalMilliseconds)
}

/** @throws {DOMException} a `TimeoutError` when the time is over first */
export async function withinTime<T>(work: Promise<T>, milliseconds: number): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new DOMException('No time is left.', 'TimeoutError')), milliseconds)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

function answerReader(
  maximumBytes: number,
  progress: ExchangeProgress,
  exchanged: PromiseWithResolvers<HttpAnswer>,
): Dispatcher.DispatchHandler {
  let answer: Omit<HttpAnswer, 'body'> | undefined
  let size = 0
  const chunks: Buffer[] = []
  return {
    // Called for the connection that the request is written to. undici first replaces a connection that has ended.
    onRequestStart() {
      progress.isSent = true
    },
    onResponseStarted() {
      progress.isAnswered = true
    },
    /** Called for interim answers too. The last call counts. */
    onResponseStart(_controller, status, headers) {
      answer = { status, headers }
    },
    onResponseData(_controller, chunk) {
      size += chunk.length
      if (size > maximumBytes) exchanged.reject(new AnswerTooLargeError())
      else chunks.push(chunk)
    },
    onResponseEnd() {
      if (answer) exchanged.resolve({ ...answer, body: Buffer.concat(chunks) })
    },
    onResponseError(_controller, error) {
      exchanged.reject(error)
    },
  }
}
