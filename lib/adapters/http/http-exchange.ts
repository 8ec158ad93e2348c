import type { Dispatcher } from './undici.ts'

/** The headers of undici's, as it reads them: names in lower case. */
type Headers = Readonly<Record<string, string | string[] | undefined>>

export interface HttpAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
}

export interface ExchangeLimits {
  /** Without a sign of life from the server. */
  readonly receiveMilliseconds: number
  /** Of everything together: waiting for a connection, opening it, sending, and the whole answer. */
  readonly totalMilliseconds: number
  readonly maximumBytes: number
}

/** An answer has more than `maximumBytes`. */
export class AnswerTooLargeError extends Error {
  readonly code = 'ERR_ANSWER_TOO_LARGE'
  override readonly name = 'AnswerTooLargeError'
}

/** How far a call came, for whoever has to know whether it may be made again. */
export interface ExchangeProgress {
  /** Written to a connection, at least in part. */
  isSent: boolean
  /** There was a byte of an answer. */
  isAnswered: boolean
}

/**
 * One request and its answer, read to its end, in bounded time and size. After an error the client is of no more use.
 * @throws {AnswerTooLargeError}
 * @throws {DOMException} a `TimeoutError` when the time is over, or what undici throws
 */
export async function exchange(
  client: Pick<Dispatcher, 'dispatch'>,
  request: Dispatcher.DispatchOptions,
  { receiveMilliseconds, totalMilliseconds, maximumBytes }: ExchangeLimits,
  progress: ExchangeProgress = { isSent: false, isAnswered: false },
): Promise<HttpAnswer> {
  const exchanged = Promise.withResolvers<HttpAnswer>()
  const timer = setTimeout(
    () => exchanged.reject(new DOMException('No time is left.', 'TimeoutError')),
    totalMilliseconds,
  )
  try {
    const bounded = { ...request, headersTimeout: receiveMilliseconds, bodyTimeout: receiveMilliseconds }
    client.dispatch(bounded, answerReader(maximumBytes, progress, exchanged))
    return await exchanged.promise
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
    // Called for the connection that it is written to: undici opens another one in place of one that has ended until then.
    onRequestStart() {
      progress.isSent = true
    },
    onResponseStarted() {
      progress.isAnswered = true
    },
    /** Of interim answers, too, one after the other; the last one counts. */
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
