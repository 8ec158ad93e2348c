import { decodeJwt } from 'jose'
import { isJsonObject, parseJson } from '../base/decoding.ts'
import type { AnswerPlace, AuthTokenResponse } from '../configuration/auth-token.ts'
import { Secret } from '../secret/secret.ts'
import { isUsable, readHttpDate, type TokenAnswer } from './token-answer.ts'
import type { TokenEndpointAnswer } from './token-endpoint.ts'

/** The token in the answer of a token server. Undefined for all other answers. */
export function readAuthTokenAnswer(
  answer: TokenEndpointAnswer,
  { token, expiry }: AuthTokenResponse,
  now: number,
): TokenAnswer | undefined {
  if (answer.status < 200 || answer.status > 299) return undefined
  const text = tokenIn(valueAt(token, answer))
  if (text === undefined) return undefined
  // Dates of a server are by its clock.
  const serversNow = readHttpDate(answer.date)
  const stated = expiry && secondsUntil(valueAt(expiry, answer), serversNow ?? now)
  const ends = [stated, secondsUntilOwnEnd(text, serversNow, now)].filter((seconds) => seconds !== undefined)
  return { accessToken: new Secret(text), ...(ends.length > 0 && { expiresInSeconds: Math.min(...ends) }) }
}

/** A text that begins like JSON or markup is an error with status 200, not a token. */
function tokenIn(value: unknown): string | undefined {
  const text = typeof value === 'string' ? value.trim().replace(/^Bearer( +|$)/i, '') : undefined
  return isUsable(text) && !/^[{[<"]/.test(text) ? text : undefined
}

function valueAt(place: AnswerPlace, { headers = {}, body }: TokenEndpointAnswer): unknown {
  switch (place.in) {
    case 'header':
      return headers[place.header]
    case 'text': {
      // Some frameworks answer a text as JSON.
      const value = body.trim().startsWith('"') ? parseJson(body) : undefined
      return typeof value === 'string' ? value : body
    }
    case 'json':
      return place.path.reduce<unknown>(
        (value, name) => (isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined),
        parseJson(body),
      )
  }
}

/** A larger number is a time since the epoch, in seconds. */
const longestLifetimeSeconds = 1_000_000_000
/** A larger number is a time since the epoch, in milliseconds. */
const latestTimeSeconds = 100_000_000_000

/** Seconds from now, a time since the epoch, a date with its zone (RFC 3339), or an HTTP date. Undefined for all other values. */
function secondsUntil(value: unknown, now: number): number | undefined {
  const number = typeof value === 'string' && /^\d{1,15}(\.\d{1,9})?$/.test(value.trim()) ? Number(value) : value
  if (typeof number !== 'number') return typeof value === 'string' ? secondsUntilDate(value.trim(), now) : undefined
  if (!Number.isFinite(number) || number < 0) return undefined
  if (number <= longestLifetimeSeconds) return number
  return Math.max(0, (number > latestTimeSeconds ? number / 1000 : number) - now / 1000)
}

const internetDate = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:?\d\d)$/

function secondsUntilDate(text: string, now: number): number | undefined {
  const date = internetDate.test(text) ? Date.parse(text) : readHttpDate(text)
  return date === undefined || Number.isNaN(date) ? undefined : Math.max(0, (date - now) / 1000)
}

/**
 * By the server's clock, since the server may have made the JWT for an earlier request. Without that clock, only for a JWT that does not
 * say when it begins: `lifetimeOf` reads the lifetime of all others from the JWT alone.
 */
function secondsUntilOwnEnd(token: string, serversNow: number | undefined, now: number): number | undefined {
  try {
    const { exp, iat, nbf } = decodeJwt(token)
    const isNeeded = serversNow !== undefined || (iat === undefined && nbf === undefined)
    return typeof exp === 'number' && isNeeded ? Math.max(0, exp - (serversNow ?? now) / 1000) : undefined
  } catch {
    return undefined
  }
}
