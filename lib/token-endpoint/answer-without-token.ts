import type { AnswerPlace } from '../configuration/auth-token.ts'
import { type AnswerContext, type SentSecrets, serverSays } from './answer-context.ts'
import { repeatsAny } from './printable-description.ts'
import { printableWords, type Saying, sayingsIn } from './servers-words.ts'
import { unreadableSuccess } from './success-without-token.ts'
import { membersIn, readHttpDate } from './token-answer.ts'
import type { TokenEndpointAnswer } from './token-endpoint.ts'
import { type Refusal, UnreachableError, UnreadableAnswerError } from './token-endpoint-error.ts'

const unauthorized = 401
const forbidden = 403
const notFound = 404
const tooManyRequests = 429
/** RFC 9110: the server was late or is not ready, or a proxy before it got no answer. */
const comeBackLater: readonly number[] = [408, 425, 502, 503, 504]
/** Nothing at this address accepts a POST. */
const wrongAddress: readonly number[] = [404, 405, 410]
/** By definition they have no body. */
const empty: readonly number[] = [204, 205]

/** From RFC 6749 sections 4.1.2.1 and 5.2, RFC 8707 section 2 and RFC 9396 section 5. */
const codesOfRfcs: readonly string[] = [
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
  'invalid_target',
  'invalid_authorization_details',
  'access_denied',
]
/** With these codes a server reports its own failure, not one of the request. */
const troubles: readonly string[] = ['server_error', 'temporarily_unavailable']
/** Phrases that only repeat the status: they are not codes. */
const phrases = /^(bad[ _]?request|unauthori[sz]ed|forbidden|not[ _]?found|conflict|internal[ _]?server[ _]?error)$/i
/** `OA_INVALID_CLIENT`, `oauth.v2.InvalidClient` and `Invalid client` are `invalid_client`. */
const endsWithCode = new RegExp(`(?:^|_)(${codesOfRfcs.join('|')})$`)
const complaint = /^_*(err|fault|exception)/i

/**
 * Reads the refusal in an answer without a token.
 * @throws {UnreachableError} on 408, 425, 429, 502, 503 and 504, on a server that reports its own failure, and on an empty 2xx
 * @throws {UnreadableAnswerError} on an answer that is not a refusal either
 */
export function readRefusal(answer: TokenEndpointAnswer, context: AnswerContext): Refusal {
  const { status, body } = answer
  const { server, tokenPlace } = context
  const sayings = printableSayings(answer, tokenPlace)
  demandAnswer(answer, sayings, context)
  const code = codeIn(answer, sayings, context)
  const words = serverSays(sayings, context)
  if (code !== undefined && troubles.includes(code)) {
    const otherWords = serverSays(besideCode(sayings, code), context)
    throw new UnreachableError(
      `The authorization server ${server} cannot serve token requests now (${code}).${otherWords}`,
      { blames: 'endpoint' },
    )
  }
  if (status >= 200 && status <= 299) {
    if (code === undefined && !isComplaint(body)) throw unreadableSuccess(answer, sayings, context)
    return refusal(answer, code, sayings, context)
  }
  const isOfRfc = code !== undefined && codesOfRfcs.includes(code)
  const isOfTokenServer = tokenPlace !== undefined && status === notFound && membersIn(body) !== undefined
  if (!isOfRfc && wrongAddress.includes(status) && !isOfTokenServer)
    throw new UnreadableAnswerError(
      `The authorization server ${server} answered with status ${status}. Check tokenEndpoint of authorizationServer/${server}.${words}`,
    )
  if (code !== undefined || (status >= 400 && status <= 499)) return refusal(answer, code, sayings, context)
  throw new UnreadableAnswerError(
    `The authorization server ${server} answered with status ${status} and without an error code.${words}`,
  )
}

function demandAnswer(answer: TokenEndpointAnswer, sayings: readonly Saying[], context: AnswerContext): void {
  const { status, body } = answer
  const { server } = context
  const words = serverSays(sayings, context)
  if (status === tooManyRequests || comeBackLater.includes(status))
    throw new UnreachableError(`The authorization server ${server} answered with status ${status}.${words}`, {
      blames: status === tooManyRequests ? 'client' : 'endpoint',
      retryAfterSeconds: readPause(answer, context.now),
    })
  // A token in a header needs no body.
  if (context.tokenPlace?.in === 'header' && status >= 200 && status <= 299) return
  if (empty.includes(status))
    throw new UnreadableAnswerError(
      `The authorization server ${server} answered with status ${status}, which never brings a token. Check tokenEndpoint of authorizationServer/${server}.`,
    )
  // Some proxies answer like this when the server behind them does not answer.
  if (status >= 200 && status <= 299 && body.trim() === '')
    throw new UnreachableError(`The authorization server ${server} answered with status ${status} and an empty body.`, {
      blames: 'endpoint',
    })
  if (status >= 300 && status <= 399)
    throw new UnreadableAnswerError(
      `The authorization server ${server} answered with a redirect (status ${status}). Tokenwell follows no redirect: set tokenEndpoint of authorizationServer/${server} to the final address.`,
    )
}

/** In an answer with a token at another place than the expected one, only the words of an error are told. */
function printableSayings(answer: TokenEndpointAnswer, tokenPlace: AnswerPlace | undefined): readonly Saying[] {
  const sayings = sayingsIn(answer)
  const isSuccess = answer.status >= 200 && answer.status <= 299
  return tokenPlace && isSuccess ? sayings.filter(({ name }) => namesOfErrors.test(name)) : sayings
}

const namesOfErrors =
  /(^|[._-])(err(or)?|fault|exception)(s|[._-]?(message|msg|code|description|detail|title|text))?$|^message$/i

/** A 401 without an error code, or with a challenge (RFC 6749 section 5.2), refuses the client's credentials. */
function refusal(
  { status, challenge }: TokenEndpointAnswer,
  code: string | undefined,
  sayings: readonly Saying[],
  { server, sent, tokenPlace }: AnswerContext,
): Refusal {
  const error = code ?? `http_${status}`
  const isAnyRefusal = challenge !== undefined || code === undefined || tokenPlace !== undefined
  const isOfCredentials = error === 'invalid_client' || (status === unauthorized && isAnyRefusal)
  const isDescribed = code !== undefined && sayings.some(({ name }) => name === 'error_description')
  const description = printableWords(isDescribed ? describing(sayings) : besideCode(sayings, code), sent.secrets)
  return {
    error,
    isOfCredentials,
    ...(description !== undefined && { description }),
    ...(tokenPlace &&
      status === notFound && {
        advice: `Check tokenEndpoint of authorizationServer/${server}: the server does not know this address, or not for this client.`,
      }),
  }
}

/** Whether the words of a refusal repeat a name that the caller chose: then they may be the words of the caller. */
export function repeatsName({ description = '' }: Refusal, { names }: SentSecrets): boolean {
  return repeatsAny(description, names)
}

/** RFC 6749 section 5.2 defines `error` and `error_description`. All other members are told with their names. */
function describing(sayings: readonly Saying[]): readonly Saying[] {
  const description = sayings
    .filter(({ name }) => name === 'error_description')
    .map(({ value }) => ({ name: '', value }))
  return [...description, ...sayings.filter(({ name }) => name !== 'error' && name !== 'error_description')]
}

function besideCode(sayings: readonly Saying[], code: string | undefined): readonly Saying[] {
  return sayings.filter(({ name, value }) => name !== 'error' || value !== code)
}

/**
 * The server's error code, such as `invalid_client`: its member `error`, or else any code of an RFC in its answer. Codes get into
 * logs and events, so that a code that repeats a sent secret or name is left out.
 */
function codeIn(
  { status, challenge = '' }: TokenEndpointAnswer,
  sayings: readonly Saying[],
  { sent }: AnswerContext,
): string | undefined {
  const isRefused = status === unauthorized || status === forbidden
  const own = sayings.find(({ name }) => name === 'error')?.value.trim() ?? ''
  const isCode = /^[\w.:~-]{1,64}$/.test(own) && !/^\d+$/.test(own) && !phrases.test(own)
  const isUsed = codesOfRfcs.includes(own) || !repeatsAny(own, [...sent.secrets, ...sent.names])
  if (isCode && isUsed && !(isRefused && troubles.includes(own))) return codeOfRfc(own) ?? own
  const inChallenge = /\berror="?([\w.-]{1,64})/.exec(challenge)?.[1] ?? ''
  return [...sayings.map(({ value }) => value), inChallenge].map(codeOfRfc).find((each) => each !== undefined)
}

function codeOfRfc(text: string): string | undefined {
  if (text.length > 64) return undefined
  const snake = text
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z]+/g, '_')
    .replace(/_$/, '')
  return endsWithCode.exec(snake.toLowerCase())?.[1]
}

/** Some servers report an error with status 200, under member names of their own. */
function isComplaint(body: string): boolean {
  const members = Object.entries(membersIn(body) ?? {})
  return members.some(([name, value]) => complaint.test(name) && Boolean(value) && value !== '0')
}

/**
 * Seconds to wait, above 0, from a `Retry-After` in seconds or as a date (RFC 9110 section 10.2.3). Undefined where the header holds
 * neither, or a time that is over: the clocks may differ, and a failing server needs a pause in any case.
 */
export function readRetryAfter(text: string | undefined, now: number): number | undefined {
  const seconds = text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : secondsUntil(readHttpDate(text), now)
  return seconds !== undefined && seconds > 0 ? seconds : undefined
}

/** The pause that the server asks for: its `Retry-After`, or else the end of its rate limit. */
function readPause({ retryAfter, rateLimitReset }: TokenEndpointAnswer, now: number): number | undefined {
  return readRetryAfter(retryAfter, now) ?? readRateLimitReset(rateLimitReset, now)
}

/** A larger number is a time since the epoch. */
const longestRateLimitSeconds = 1_000_000_000

/** No standard defines this header. Servers send seconds from now, or seconds since the epoch. */
function readRateLimitReset(text: string | undefined, now: number): number | undefined {
  if (text === undefined || !/^\d{1,12}$/.test(text)) return undefined
  const seconds = Number(text)
  const left = seconds > longestRateLimitSeconds ? Math.ceil(seconds - now / 1000) : seconds
  return left > 0 ? left : undefined
}

function secondsUntil(date: number | undefined, now: number): number | undefined {
  return date === undefined ? undefined : Math.ceil((date - now) / 1000)
}
