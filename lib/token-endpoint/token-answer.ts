import type { IssuedToken } from '../access-token/lifetime.ts'
import { isJsonObject, type JsonObject, parseJson } from '../base/decoding.ts'
import { Secret } from '../secret/secret.ts'
import { printableDescription, repeatsAny } from './printable-description.ts'
import type { TokenEndpointAnswer } from './token-endpoint.ts'
import { type Refusal, UnreachableError, UnreadableAnswerError } from './token-endpoint-error.ts'

/** RFC 6749 section 5.1, without what nobody may pass on: `refresh_token` and `id_token`. */
export interface TokenAnswer extends IssuedToken {
  /** Where it differs from what was asked for, or the server says it anyway. */
  readonly scope?: string
}

const tooManyRequests = 429
const comeBackLater: readonly number[] = [502, 503, 504]
/** Of RFC 6749 section 5.2 and RFC 8707 section 2: they repeat nothing, though a user may be called so. */
const codesOfRfcs: readonly string[] = [
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
  'invalid_target',
]
const troubles: readonly string[] = ['server_error', 'temporarily_unavailable']

/** What was sent to the server, and must not come back where anybody else can read it. */
export interface SentSecrets {
  /** Of the client, and a user's password: for nobody's eyes. */
  readonly secrets: readonly Secret[]
  /** Of a user: for the eyes of the caller who named them. */
  readonly names: readonly Secret[]
}

/**
 * Reads an answer by its content: servers send errors with 200 and HTML as JSON.
 * @param now milliseconds since the epoch
 * @throws {UnreachableError} on 429, 502, 503, 504 and an empty 200
 * @throws {UnreadableAnswerError} on what is neither a token nor a refusal
 */
export function readTokenAnswer(
  answer: TokenEndpointAnswer,
  sent: SentSecrets,
  now: number,
): { readonly token: TokenAnswer } | { readonly refusal: Refusal } {
  const { status, body } = answer
  if (status === tooManyRequests || comeBackLater.includes(status))
    throw new UnreachableError(`The token endpoint answers with status ${status}.`, {
      blames: status === tooManyRequests ? 'client' : 'endpoint',
      retryAfterSeconds: readPause(answer, now),
    })
  // A proxy's way to say that nobody was there.
  if (status === 200 && body.trim() === '')
    throw new UnreachableError('The token endpoint answers with status 200 and nothing else.', { blames: 'endpoint' })
  if (status >= 300 && status < 400)
    throw new UnreadableAnswerError(
      `The token endpoint redirects (status ${status}), which is never followed: set tokenEndpoint to where it is.`,
    )

  if (isBareRefusal(answer)) return { refusal: { error: `http_${status}`, isOfCredentials: status === unauthorized } }
  const members = readObject(answer)
  const { error } = members
  if (typeof error === 'string') return { refusal: readRefusal(error, members, answer, sent) }
  if (status !== 200)
    throw new UnreadableAnswerError(`The token endpoint answers with status ${status} and no error code.`)
  return { token: readToken(members) }
}

function readObject({ status, body }: TokenEndpointAnswer): JsonObject {
  const value = parseJson(body)
  if (isJsonObject(value)) return value
  const found = `status ${status} and ${body.length === 0 ? 'no body' : `${body.length} characters`}`
  throw new UnreadableAnswerError(
    `The token endpoint answers with ${found} that are no JSON object; check tokenEndpoint: it may lead to another page.`,
  )
}

const unauthorized = 401

/** Whether the server refuses with its status alone, whatever page comes with it. */
function isBareRefusal({ status, body }: TokenEndpointAnswer): boolean {
  if (status !== unauthorized && status !== 403) return false
  const members = parseJson(body)
  return !isJsonObject(members) || typeof members['error'] !== 'string'
}

function readRefusal(
  error: string,
  members: JsonObject,
  { status, challenge }: TokenEndpointAnswer,
  sent: SentSecrets,
): Refusal {
  // RFC 6749 section 5.2 names the characters; what has others is not to be printed.
  if (!/^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,64}$/.test(error))
    throw new UnreadableAnswerError('The token endpoint answers with an error code that has forbidden characters.')
  // Codes stand in logs and events.
  if (!codesOfRfcs.includes(error) && repeatsAny(error, [...sent.secrets, ...sent.names]))
    throw new UnreadableAnswerError('The token endpoint answers with an error code that repeats what was sent to it.')
  // What servers say of themselves rather than of the request.
  if (troubles.includes(error))
    throw new UnreachableError(`The token endpoint is in trouble (${error}).`, { blames: 'endpoint' })
  const { error_description: description } = members
  const printable = typeof description === 'string' ? printableDescription(description, sent.secrets) : undefined
  // RFC 6749 section 5.2: a 401 with a challenge is an answer to the client's credentials.
  const isOfCredentials = error === 'invalid_client' || (status === unauthorized && challenge !== undefined)
  return { error, isOfCredentials, ...(printable !== undefined && { description: printable }) }
}

function readToken(members: JsonObject): TokenAnswer {
  const { access_token: accessToken, token_type: tokenType, expires_in: expiresIn, scope } = members
  // RFC 6750 section 2.1: it must fit a header.
  if (typeof accessToken !== 'string' || !/^[\x21-\x7e]+$/.test(accessToken))
    throw new UnreadableAnswerError('The token endpoint answers without an access_token that is a printable string.')
  // RFC 6749 section 7.1: a token of a type that one doesn't understand must not be used.
  if (typeof tokenType !== 'string' || tokenType.toLowerCase() !== 'bearer')
    throw new UnreadableAnswerError('The token endpoint answers with a token_type other than Bearer.')

  const expiresInSeconds = readExpiresIn(expiresIn)
  return {
    accessToken: new Secret(accessToken),
    ...(expiresInSeconds !== undefined && { expiresInSeconds }),
    ...(typeof scope === 'string' && /^[\x20-\x7e]*$/.test(scope) && { scope }),
  }
}

/** Servers send numbers and strings of digits, and some send nothing. */
function readExpiresIn(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined
  const seconds = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  if (typeof seconds !== 'number' || !(seconds > 0))
    throw new UnreadableAnswerError('The token endpoint answers with an expires_in that is no number above 0.')
  return seconds
}

/** RFC 9110 section 5.6.7, the form that is to be sent. */
const httpDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/

/** Milliseconds since the epoch of an HTTP date; undefined where the text is none. */
export function readHttpDate(text: string | undefined): number | undefined {
  if (text === undefined || !httpDate.test(text)) return undefined
  const time = Date.parse(text)
  return Number.isNaN(time) ? undefined : time
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
