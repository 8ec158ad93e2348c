import { isJsonObject, parseJson } from '../base/decoding.ts'
import type { AnswerPlace, AuthTokenResponse } from '../configuration/auth-token.ts'
import { Secret } from '../secret/secret.ts'
import { isUsable, type TokenAnswer } from './token-answer.ts'
import type { TokenEndpointAnswer } from './token-endpoint.ts'

/** The token in the answer of a token server. Undefined for all other answers. */
export function readAuthTokenAnswer(
  answer: TokenEndpointAnswer,
  { token, expiry }: AuthTokenResponse,
  now: number,
): TokenAnswer | undefined {
  if (answer.status < 200 || answer.status > 299) return undefined
  const found = valueAt(token, answer)
  const text = typeof found === 'string' ? found.trim().replace(/^Bearer +/i, '') : found
  if (!isUsable(text)) return undefined
  const expiresInSeconds = expiry && secondsUntil(valueAt(expiry, answer), now)
  return { accessToken: new Secret(text), ...(expiresInSeconds !== undefined && { expiresInSeconds }) }
}

function valueAt(place: AnswerPlace, { headers = {}, body }: TokenEndpointAnswer): unknown {
  switch (place.in) {
    case 'header':
      return headers[place.header]
    case 'text':
      return body
    case 'json':
      return place.path.reduce<unknown>(
        (value, name) => (isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined),
        parseJson(body),
      )
  }
}

/** A larger number is a time since the epoch. */
const longestLifetimeSeconds = 1_000_000_000

/** Seconds from now, seconds since the epoch, or a date (RFC 3339). */
function secondsUntil(value: unknown, now: number): number | undefined {
  const number = typeof value === 'string' && /^\d{1,15}(\.\d+)?$/.test(value.trim()) ? Number(value) : value
  if (typeof number === 'number') {
    const seconds = number > longestLifetimeSeconds ? number - now / 1000 : number
    return seconds >= 0 ? seconds : undefined
  }
  const date = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(date) ? undefined : Math.max(0, (date - now) / 1000)
}
