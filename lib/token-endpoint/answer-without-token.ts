import { isTokenType } from '../configuration/value-syntax.ts'
import type { Secret } from '../secret/secret.ts'
import { repeatsAny } from './printable-description.ts'
import { isHtml, printableWords, type Saying, sayingsIn, titleOf } from './servers-words.ts'
import { isBearer, isUsable, membersIn, readHttpDate } from './token-answer.ts'
import type { TokenEndpointAnswer } from './token-endpoint.ts'
import { type Refusal, UnreachableError, UnreadableAnswerError } from './token-endpoint-error.ts'

/** What was sent to the server, and must not come back where anybody else can read it. */
export interface SentSecrets {
  /** Of the client, and a user's password: for nobody's eyes. */
  readonly secrets: readonly Secret[]
  /** Of a user: for the eyes of the caller who named them. */
  readonly names: readonly Secret[]
}

/** What an answer is read by. */
export interface AnswerContext {
  /** The id of the authorization server's element. */
  readonly server: string
  /** What else than a bearer token its tokens may be called. */
  readonly tokenTypes?: readonly string[] | undefined
  readonly sent: SentSecrets
  /** Whether the request was made for a user: the server's words may repeat who that is. */
  readonly isForUser: boolean
  /** Milliseconds since the epoch. */
  readonly now: number
}

const unauthorized = 401
const forbidden = 403
const tooManyRequests = 429
/** RFC 9110: the server, or a proxy before it, was late, is not ready, or has nobody behind it. */
const comeBackLater: readonly number[] = [408, 425, 502, 503, 504]
/** Nothing is at this address, or nothing that is posted to. */
const wrongAddress: readonly number[] = [404, 405, 410]
/** There is nothing in them by what they mean. */
const empty: readonly number[] = [204, 205]

/** Of RFC 6749 sections 4.1.2.1 and 5.2, and RFC 8707 section 2. */
const codesOfRfcs: readonly string[] = [
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
  'invalid_target',
  'access_denied',
]
/** What servers say of themselves rather than of the request. */
const troubles: readonly string[] = ['server_error', 'temporarily_unavailable']
/** They say in words what the status says. */
const phrases = /^(bad[ _]?request|unauthori[sz]ed|forbidden|not[ _]?found|conflict|internal[ _]?server[ _]?error)$/i
/** `OA_INVALID_CLIENT`, `oauth.v2.InvalidClient` and `Invalid client` are `invalid_client`. */
const endsWithCode = new RegExp(`(?:^|_)(${codesOfRfcs.join('|')})$`)
const complaint = /^_*(err|fault|exception)/i

/**
 * What an answer says that brings no token.
 * @throws {UnreachableError} on 408, 425, 429, 502, 503 and 504, on a server in trouble, and on a 2xx with nothing in it
 * @throws {UnreadableAnswerError} on what is no refusal either
 */
export function readRefusal(answer: TokenEndpointAnswer, context: AnswerContext): Refusal {
  const { status, body } = answer
  const sayings = sayingsIn(answer)
  demandAnswer(answer, sayings, context)
  const code = codeIn(answer, sayings, context)
  if (code !== undefined && troubles.includes(code))
    throw new UnreachableError(
      `The token endpoint is in trouble (${code}).${itSays(besideCode(sayings, code), context)}`,
      {
        blames: 'endpoint',
      },
    )
  if (status >= 200 && status <= 299) {
    if (code === undefined && !isComplaint(body)) throw unreadableSuccess(answer, sayings, context)
    return refusal(answer, code, sayings, context)
  }
  const isOfRfc = code !== undefined && codesOfRfcs.includes(code)
  if (!isOfRfc && wrongAddress.includes(status))
    throw new UnreadableAnswerError(
      `The token endpoint answers with status ${status}: check tokenEndpoint of authorizationServer/${context.server}.${itSays(sayings, context)}`,
    )
  if (code !== undefined || (status >= 400 && status <= 499)) return refusal(answer, code, sayings, context)
  throw new UnreadableAnswerError(
    `The token endpoint answers with status ${status} and no error code.${itSays(sayings, context)}`,
  )
}

function demandAnswer(answer: TokenEndpointAnswer, sayings: readonly Saying[], context: AnswerContext): void {
  const { status, body } = answer
  if (status === tooManyRequests || comeBackLater.includes(status))
    throw new UnreachableError(`The token endpoint answers with status ${status}.${itSays(sayings, context)}`, {
      blames: status === tooManyRequests ? 'client' : 'endpoint',
      retryAfterSeconds: readPause(answer, context.now),
    })
  if (empty.includes(status))
    throw new UnreadableAnswerError(
      `The token endpoint answers with status ${status}, which brings no token; check tokenEndpoint.`,
    )
  // A proxy's way to say that nobody was there.
  if (status >= 200 && status <= 299 && body.trim() === '')
    throw new UnreachableError(`The token endpoint answers with status ${status} and nothing else.`, {
      blames: 'endpoint',
    })
  if (status >= 300 && status <= 399)
    throw new UnreadableAnswerError(
      `The token endpoint redirects (status ${status}), which is never followed: set tokenEndpoint to where it is.`,
    )
}

/** A 401 without a code of its own, or with a challenge (RFC 6749 section 5.2), is an answer to the client's credentials. */
function refusal(
  { status, challenge }: TokenEndpointAnswer,
  code: string | undefined,
  sayings: readonly Saying[],
  { sent }: AnswerContext,
): Refusal {
  const error = code ?? `http_${status}`
  const isOfCredentials =
    error === 'invalid_client' || (status === unauthorized && (challenge !== undefined || code === undefined))
  const isDescribed = code !== undefined && sayings.some(({ name }) => name === 'error_description')
  const description = printableWords(isDescribed ? describing(sayings) : besideCode(sayings, code), sent.secrets)
  return { error, isOfCredentials, ...(description !== undefined && { description }) }
}

/** RFC 6749 section 5.2 names the code and its description; what else there is keeps its name. */
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
 * The server's own code, such as `invalid_client`: its member `error`, or whatever else in its answer is a code of an RFC. Codes are in
 * logs and events: one that repeats what was sent is none.
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

/** Some say with status 200 what went wrong, under names of their own. */
function isComplaint(body: string): boolean {
  const members = Object.entries(membersIn(body) ?? {})
  return members.some(([name, value]) => complaint.test(name) && Boolean(value) && value !== '0')
}

/** What it holds may be a token by another name, so that it is told by names and size alone. */
function unreadableSuccess(
  { status, body }: TokenEndpointAnswer,
  sayings: readonly Saying[],
  context: AnswerContext,
): UnreadableAnswerError {
  const members = membersIn(body)
  const { server } = context
  if (!members) {
    const words = itSays([{ name: 'title', value: isHtml(body) ? titleOf(body) : '' }], context)
    return new UnreadableAnswerError(
      `The token endpoint answers with status ${status} and ${body.length} characters that are no JSON object; check tokenEndpoint: it may lead to another page.${words}`,
    )
  }
  const { access_token: accessToken, token_type: type } = members
  if (isUsable(accessToken) && !isBearer(type, context.tokenTypes)) {
    const name =
      typeof type === 'string'
        ? printableWords([{ name: '', value: type.slice(0, 64) }], context.sent.secrets)
        : undefined
    const advice =
      typeof type === 'string' && isTokenType(type)
        ? `If the API takes it as a bearer token, list it in tokenTypes of authorizationServer/${server}.`
        : 'Only bearer tokens are of use: the server must issue them to this client.'
    return new UnreadableAnswerError(
      `The token endpoint answers with a token_type other than Bearer${name === undefined ? '' : ` (${name})`}. ${advice}`,
    )
  }
  const names = sayings.length === 0 ? [] : Object.keys(members).slice(0, 10)
  const printable = printableWords(
    names.map((value) => ({ name: '', value: value.slice(0, 40) })),
    context.sent.secrets,
  )
  const found = printable === undefined || context.isForUser ? '' : ` It has: ${printable}.`
  return new UnreadableAnswerError(
    `The token endpoint answers without an access_token that is a printable string.${found}`,
  )
}

/** Who a user is must not be in a failure that others are told. */
function itSays(sayings: readonly Saying[], { sent, isForUser }: AnswerContext): string {
  const words = isForUser ? undefined : printableWords(sayings, sent.secrets)
  return words === undefined ? '' : ` It says: ${words}${/[.!?]$/.test(words) ? '' : '.'}`
}

/**
 * Seconds to wait by a `Retry-After` of seconds or a date (RFC 9110 section 10.2.3), above 0; undefined where it says nothing.
 * To come back at once says nothing: it may come of a slow clock, and an outage is left alone all the same.
 */
export function readRetryAfter(text: string | undefined, now: number): number | undefined {
  const seconds = text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : secondsUntil(readHttpDate(text), now)
  return seconds !== undefined && seconds > 0 ? seconds : undefined
}

/** What the server asks for: its `Retry-After`, or the end of its rate limit. */
function readPause({ retryAfter, rateLimitReset }: TokenEndpointAnswer, now: number): number | undefined {
  return readRetryAfter(retryAfter, now) ?? readRateLimitReset(rateLimitReset, now)
}

/** A larger number is a date. */
const longestRateLimitSeconds = 1_000_000_000

/** No standard names this header. Servers send seconds from now, or seconds since the epoch. */
function readRateLimitReset(text: string | undefined, now: number): number | undefined {
  if (text === undefined || !/^\d{1,12}$/.test(text)) return undefined
  const seconds = Number(text)
  const left = seconds > longestRateLimitSeconds ? Math.ceil(seconds - now / 1000) : seconds
  return left > 0 ? left : undefined
}

function secondsUntil(date: number | undefined, now: number): number | undefined {
  return date === undefined ? undefined : Math.ceil((date - now) / 1000)
}
