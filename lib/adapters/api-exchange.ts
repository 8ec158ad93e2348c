import type { Client } from 'undici'
import { ApiCallError } from '../api-call/api-call-error.ts'
import { type ApiAnswer, type ApiCallLimits, type ApiRequest, maximumPayloadBytes } from '../api-call/api-endpoint.ts'

/** How far a call came, for whoever has to know whether it may be made again. */
export interface ExchangeProgress {
  /** Written to a connection, at least in part. */
  isSent: boolean
  /** There was a byte of an answer. */
  isAnswered: boolean
}

/** One request and its answer, read to its end. After an error the connection is of no more use. */
export function exchange(
  client: Client,
  { method, target, headers, token, body }: ApiRequest,
  { receiveMilliseconds, totalMilliseconds }: ApiCallLimits,
  progress: ExchangeProgress,
): Promise<ApiAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<ApiAnswer>()
  const timer = setTimeout(() => reject(new DOMException('No time is left.', 'TimeoutError')), totalMilliseconds)
  let answer: Omit<ApiAnswer, 'body'> | undefined
  let size = 0
  const chunks: Buffer[] = []

  const request = {
    method,
    path: target,
    headers: { ...headers, authorization: `Bearer ${token.reveal()}` },
    body: body ?? null,
    headersTimeout: receiveMilliseconds,
    bodyTimeout: receiveMilliseconds,
  }
  client.dispatch(request, {
    // Called for the connection that it is written to: undici opens another one in place of one that has ended until then.
    onRequestStart() {
      progress.isSent = true
    },
    onResponseStarted() {
      progress.isAnswered = true
    },
    /** Of interim answers, too, one after the other; the last one counts. */
    onResponseStart(_controller, status, given) {
      answer = { status, headers: given as ApiAnswer['headers'] }
    },
    onResponseData(_controller, chunk) {
      size += chunk.length
      if (size > maximumPayloadBytes) reject(tooLarge())
      else chunks.push(chunk)
    },
    onResponseEnd() {
      if (answer) resolve({ ...answer, body: Buffer.concat(chunks) })
    },
    onResponseError: (_controller, error) => reject(error),
  })
  return promise.finally(() => clearTimeout(timer))
}

function tooLarge(): ApiCallError {
  return new ApiCallError(
    'http_response_body_size',
    `The API's answer is larger than the ${maximumPayloadBytes} bytes (6 MB) that Lambda hands over: ask it for less at a time.`,
    { wasSent: true },
  )
}
