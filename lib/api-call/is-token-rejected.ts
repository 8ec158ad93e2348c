import type { TokenRejection } from '../configuration/connection.ts'
import type { ApiAnswer } from './api-endpoint.ts'
import { readChallenges } from './challenges.ts'

const unauthorized = 401

/** Whether the API says that the token is no longer good (RFC 6750 section 3.1), as the connection wants it read. */
export function isTokenRejected({ status, headers }: ApiAnswer, rejection: TokenRejection): boolean {
  if (status !== unauthorized) return false
  if (rejection === 'any_401') return true
  return [headers['www-authenticate'] ?? []]
    .flat()
    .flatMap(readChallenges)
    .some(({ scheme, parameters }) => scheme === 'bearer' && parameters.get('error') === 'invalid_token')
}
