import type { IssuedToken } from '../access-token/lifetime.ts'
import { isJsonArray, isJsonObject, type JsonObject, parseJson } from '../base/decoding.ts'
import { isExchangedTokenType } from '../configuration/value-syntax.ts'
import { Secret } from '../secret/secret.ts'
import type { TokenEndpointAnswer } from './token-endpoint.ts'

/** RFC 6749 section 5.1, without `refresh_token` and `id_token`, which no caller may get. */
export interface TokenAnswer extends IssuedToken {
  /** Present where the server names it: it must do so where the scope differs from the requested one. */
  readonly scope?: string
  /** The type of a token from an exchange (RFC 8693 section 2.2.1). Absent where the server leaves it out, as some do. */
  readonly issuedTokenType?: string
}

/**
 * The token in an answer: any 2xx with a usable `access_token`, whatever else it says. Undefined for all other answers, which
 * `answer-without-token.ts` reads.
 */
export function issuedToken(
  { status, body }: TokenEndpointAnswer,
  tokenTypes?: readonly string[],
): TokenAnswer | undefined {
  if (status < 200 || status > 299) return undefined
  const {
    access_token: accessToken,
    token_type: type,
    expires_in: expiresIn,
    scope,
    issued_token_type: issuedType,
  } = membersIn(body) ?? {}
  if (!isUsable(accessToken) || !isBearer(type, tokenTypes)) return undefined
  const expiresInSeconds = readExpiresIn(expiresIn)
  return {
    accessToken: new Secret(accessToken),
    ...(expiresInSeconds !== undefined && { expiresInSeconds }),
    ...(typeof scope === 'string' && /^[\x20-\x7e]*$/.test(scope) && { scope }),
    ...(typeof issuedType === 'string' && isExchangedTokenType(issuedType) && { issuedTokenType: issuedType }),
  }
}

/** The members of a JSON object, or of a form, which some servers send. Undefined where the text is neither. */
export function membersIn(body: string): JsonObject | undefined {
  const value = parseJson(body.replace(/^\ufeff+/, ''))
  if (value !== undefined) return isJsonObject(value) ? value : undefined
  const text = body.trim()
  return /^[\w.-]{1,64}=[^\s<>{}"]*$/.test(text) ? Object.fromEntries(new URLSearchParams(text)) : undefined
}

/** RFC 6750 section 2.1: a token must fit in a header. */
export function isUsable(accessToken: unknown): accessToken is string {
  return typeof accessToken === 'string' && /^[\x21-\x7e]+$/.test(accessToken)
}

/** Tokens of these types are bound to a key that Tokenwell doesn't have: they can't be used as bearer tokens. */
const boundTokenTypes: readonly string[] = ['dpop', 'pop', 'mac']

/**
 * Whether a token is a bearer token: its type is missing, or names a bearer token in any spelling, such as `BearerToken`, or is one
 * of the element's `tokenTypes`. RFC 6749 section 7.1 forbids a client to use a token of an unknown type.
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
 * Servers send a number, a text that holds a number, or nothing. Anything else, and a number below 0 (some servers mean a token that
 * never expires), counts as nothing: the token gets the default lifetime.
 */
function readExpiresIn(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && isDecimal(value.trim()) ? Number(value) : value
  return typeof seconds === 'number' && seconds >= 0 ? seconds : undefined
}

function isDecimal(text: string): boolean {
  return /^\+?\d{1,30}(\.\d{0,30})?(e\+?\d{1,3})?$/i.test(text)
}

/** RFC 9110 section 5.6.7: the one form that a sender may use. */
const httpDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/

/** An HTTP date in milliseconds since the epoch. Undefined where the text isn't an HTTP date. */
export function readHttpDate(text: string | undefined): number | undefined {
  if (text === undefined || !httpDate.test(text)) return undefined
  const time = Date.parse(text)
  return Number.isNaN(time) ? undefined : time
}
