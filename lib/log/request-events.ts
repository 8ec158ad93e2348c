import { type Failed, type OfConnection, row, type Took } from './event-row.ts'

/** Statuses from 500 up after which a caller may repeat the request, and which need no fix. */
const passingStatuses: readonly number[] = [503, 504]

/** Calls of an API, and requests that failed. */
export const requestEvents = {
  /** Written for every answer, whatever its status. */
  api_called: row<OfConnection & Took & { readonly status: number }>({
    level: 'info',
    metrics: (event) => ({ ApiCallDuration: event.milliseconds }),
    dimensions: ['connection'],
    sentence: (event) =>
      `The API of the connection ${event.connection} answered with status ${event.status} in ${event.milliseconds} ms.`,
    isShownWhileServing: true,
  }),
  /** The API gave no answer, or none that can be passed on. The code is an error type of RFC 9209. */
  api_call_failed: row<OfConnection & Took & { readonly code: string }>({
    level: 'warn',
    metrics: () => ({ ApiCallsFailed: 1 }),
    dimensions: ['connection'],
    sentence: (event) =>
      `The API of the connection ${event.connection} gave no usable answer: ${event.code} after ${event.milliseconds} ms.`,
    isShownWhileServing: true,
  }),
  /** No call was made: a token answer names a host that `hostFrom` does not allow, or one without a public address. */
  api_host_refused: row<
    OfConnection & {
      readonly why: 'missing' | 'not_an_origin' | 'not_within' | 'not_public'
      readonly reason: string
    }
  >({
    level: 'warn',
    metrics: () => ({ ApiHostsRefused: 1 }),
    dimensions: ['connection'],
    sentence: (event) => `No call was made for the connection ${event.connection} (${event.why}): ${event.reason}`,
    isShownWhileServing: true,
  }),
  /** The call is repeated: with other tokens, over another connection, or with another client certificate or password. */
  api_call_repeated: row<
    OfConnection & { readonly reason: 'token_rejected' | 'dead_connection' | 'newer_secret' | 'other_password' }
  >({
    level: 'info',
    metrics: ({ reason }) => (reason === 'token_rejected' ? { ApiTokensRejected: 1 } : undefined),
    dimensions: ['connection'],
    sentence: (event) => `Tokenwell repeats a call to the API of the connection ${event.connection}: ${event.reason}.`,
    isShownWhileServing: true,
  }),
  /** One of the tokens of a call could not be obtained. The element names the token. */
  api_call_without_token: row<OfConnection & Failed & { readonly element: string }>({
    level: 'warn',
    sentence: (event) =>
      `A call of the connection ${event.connection} lacks the token of ${event.element} (${event.code}): ${event.reason}`,
  }),
  /** A reference or cookie in the API's answer that the caller can't use. The answer is passed on without it. */
  api_header_left_out: row<OfConnection & { readonly header: string; readonly reason: string }>({
    level: 'info',
    sentence: (event) =>
      `The answer of the API of the connection ${event.connection} is passed on without ${event.header}: ${event.reason}`,
    isShownWhileServing: true,
  }),
  request_failed: row<
    // The connection is present if the request names a possible one.
    Partial<OfConnection> & Failed & { readonly status: number; readonly requestId: string }
  >({
    level: 'warn',
    metrics: ({ status }) => (status < 500 || passingStatuses.includes(status) ? undefined : { RequestsFailed: 1 }),
    dimensions: ['connection'],
    sentence: (event) => `The request failed with ${event.status} ${event.code}: ${event.reason}`,
  }),
} as const
