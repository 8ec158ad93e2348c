import type { IssuedToken } from '../access-token/lifetime.ts'
import { isJsonArray, isJsonObject, type JsonObject, parseJson } from '../base/decoding.ts'
import { Secret } from '../secret/secret.ts'
import type { TokenEndpointAnswer } from './token-endpoint.ts'

/** RFC 6749 section 5.1, without what nobody may pass on: `refresh_token` and `id_token`. */
export interface TokenAnswer extends IssuedToken {
  /** Where it differs from what was asked for, or the server says it anyway. */
  readonly scope?: string
}

/** Any 2xx with a usable `access_token` is a token, whatever else it says; undefined for all other answers, see `answer-without-token.ts`. */
export function issuedToken(
  { status, body }: TokenEndpointAnswer,
  tokenTypes?: readonly string[],
): TokenAnswer | undefined {
  if (status < 200 || status > 299) return undefined
  const { access_token: accessToken, token_type: type, expires_in: expiresIn, scope } = membersIn(body) ?? {}
  if (!isUsable(accessToken) || !isBearer(type, tokenTypes)) return undefined
  const expiresInSeconds = readExpiresIn(expiresIn)
  return {
    accessToken: new Secret(accessToken),
    ...(expiresInSeconds !== undefined && { expiresInSeconds }),
    ...(typeof scope === 'string' && /^[\x20-\x7e]*$/.test(scope) && { scope }),
  }
}

/** The members of a JSON object, or of a form, as some servers send it; undefined where the text is neither. */
export function membersIn(body: string): JsonObject | undefined {
  const value = parseJson(body.replace(/^\ufeff+/, ''))
  if (value !== undefined) return isJsonObject(value) ? value : undefined
  const text = body.trim()
  return /^[\w.-]{1,64}=[^\s<>{}"]*$/.test(text) ? Object.fromEntries(new URLSearchParams(text)) : undefined
}

/** RFC 6750 section 2.1: it must fit a header. */
export function isUsable(accessToken: unknown): accessToken is string {
  return typeof accessToken === 'string' && /^[\x21-\x7e]+$/.test(accessToken)
}

/** Bound to a key that Tokenwell has not: they are of no use as bearer tokens. */
const boundTokenTypes: readonly string[] = ['dpop', 'pop', 'mac']

/**
 * Whether a token is one whose bearer may use it: its type is missing, or names a bearer token in any spelling, such as `BearerToken`,
 * or is one of the element's `tokenTypes`. RFC 6749 section 7.1 forbids the use of a type that one doesn't understand.
 */
export function isBearer(type: unknown, tokenTypes: readonly string[] = []): boolean {
  const name = isJsonArray(type) ? type.join(' ') : (type ?? '')
  if (typeof name !== 'string') return false
  const spelt = name.trim().toLowerCase()
  const words = spelt.match(/[a-z0-9]+/g) ?? []
  if (words.some((word) => boundTokenTypes.includes(word))) return false
  return (
    spelt === '' ||
    words.some((word) => word.includes('bearer')) ||
    tokenTypes.some((each) => each.toLowerCase() === spelt)
  )
}

/**
 * Servers send numbers, texts that hold one, and nothing. What is no number, or below 0 as where a token never ends, does not say how
 * long the token lives: it is taken for as long as one whose server says nothing.
 */
function readExpiresIn(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && isDecimal(value.trim()) ? Number(value) : value
  return typeof seconds === 'number' && seconds >= 0 ? seconds : undefined
}

function isDecimal(text: string): boolean {
  return /^\+?\d{1,30}(\.\d{0,30})?(e\+?\d{1,3})?$/i.test(text)
}

/** RFC 9110 section 5.6.7, the form that is to be sent. */
const httpDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/

/** Milliseconds since the epoch of an HTTP date; undefined where the text is none. */
export function readHttpDate(text: string | undefined): number | undefined {
  if (text === undefined || !httpDate.test(text)) return undefined
  const time = Date.parse(text)
  return Number.isNaN(time) ? undefined : time
}
