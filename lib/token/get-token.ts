import type { Connections } from '../configuration/connections.ts'
import type { Log } from '../log/log-event.ts'
import { UnreadableAnswerError } from '../token-endpoint/token-endpoint-error.ts'
import { admitRequest } from './admit-request.ts'
import { InvalidRequestError } from './invalid-request-error.ts'
import { secondsLeft } from './lifetime.ts'
import type { ObtainToken } from './obtain-token.ts'
import type { RejectToken } from './reject-token.ts'
import { createSingleFlight } from './single-flight.ts'
import type { Token } from './token.ts'
import type { CachedToken, TokenCache } from './token-cache.ts'
import { tokenKey } from './token-key.ts'
import type { TokenRequest } from './token-request.ts'

const leastSecondsLeft = 1

export interface HandedOutToken {
  readonly token: Token
  readonly source: CachedToken['source'] | 'server'
  /** What is left, not what was issued. */
  readonly secondsLeft: number
}

export interface GetTokenParts {
  readonly connections: Connections
  readonly cache: TokenCache
  readonly rejectToken: RejectToken
  readonly obtainToken: ObtainToken
  readonly now: () => number
  readonly log: Log
}

/**
 * The use case: a token for a request. Its errors are those of `TokenError`.
 * @param deadline milliseconds since the epoch by which the caller needs an answer
 */
export type GetToken = (request: TokenRequest, deadline: number) => Promise<HandedOutToken>

export function createGetToken(parts: GetTokenParts): GetToken {
  const { connections, cache, rejectToken, obtainToken, now, log } = parts
  const singleFlight = createSingleFlight<Token>(now)

  return async (request, deadline) => {
    const connection = await connections.get(request.connection)
    const parameters = admitRequest(connection, request)
    const key = tokenKey(request)
    if (request.rejectedTokenId !== undefined) await rejectToken(request.connection, request.rejectedTokenId)

    const cached = await cache.get(key)
    if (cached && answers(cached.token, request)) return handOut(cached.token, cached.source, request)

    const token = await singleFlight(key, deadline, async () => {
      const obtained = await obtainToken(connection, request, parameters, deadline)
      if (now() < obtained.usableUntil) await cache.store(key, obtained)
      return obtained
    })
    return handOut(token, 'server', request)
  }

  /** A token that lives shorter than asked for, however new, isn't bettered by asking again. */
  function answers(token: Token, { minimumSeconds = 0 }: TokenRequest): boolean {
    if (now() >= token.usableUntil) return false
    return secondsLeft(token, now()) >= minimumSeconds || lifetimeSeconds(token) <= minimumSeconds
  }

  function handOut(token: Token, source: HandedOutToken['source'], request: TokenRequest): HandedOutToken {
    const left = secondsLeft(token, now())
    if (left < leastSecondsLeft)
      throw new UnreadableAnswerError('The token endpoint issued a token that has expired, or will within a second.')
    if (left < (request.minimumSeconds ?? 0))
      throw new InvalidRequestError(
        'minimum_seconds',
        `is more than this connection's tokens live: ${lifetimeSeconds(token)} s from issue, less the way here.`,
      )
    log({ event: 'token_handed_out', connection: token.connection, source, secondsLeft: left })
    return { token, source, secondsLeft: left }
  }
}

function lifetimeSeconds(token: Token): number {
  return secondsLeft(token, token.issuedAt)
}
