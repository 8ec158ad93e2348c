import type { Connections } from '../configuration/connections.ts'
import type { Log } from '../log/log-event.ts'
import { UnreadableAnswerError } from '../token-endpoint/token-endpoint-error.ts'
import { admitRequest } from './admit-request.ts'
import { CoolingDownError } from './cooling-down-error.ts'
import { InvalidRequestError } from './invalid-request-error.ts'
import { keptToken } from './keep-token.ts'
import { isFresh, isUsable, lifetimeSeconds, secondsLeft } from './lifetime.ts'
import type { ObtainToken } from './obtain-token.ts'
import type { RejectToken } from './reject-token.ts'
import { createSingleFlight } from './single-flight.ts'
import type { Token } from './token.ts'
import type { CachedToken, TokenCache } from './token-cache.ts'
import { isTokenError } from './token-error.ts'
import { type TokenKey, tokenKey } from './token-key.ts'
import type { TokenRequest } from './token-request.ts'

const leastSecondsLeft = 1
/** Before a stale token whose renewal failed is tried again. */
const renewalPauseSeconds = 10

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
    const obtain = () =>
      singleFlight.join(key, deadline, async () => {
        const token = await obtainToken(connection, request, parameters, deadline)
        const kept = keptToken(token, cached?.token, now())
        await cache.store(key, kept)
        return { ...token, id: kept.id }
      })

    if (!cached || !answers(cached.token, request)) return handOut(await obtain(), 'server', request)
    if (isFresh(cached.token, now()) || singleFlight.isUnderWay(key))
      return handOut(cached.token, cached.source, request)
    return renew(key, cached, obtain, request)
  }

  /** A token that lives shorter than asked for, however new, isn't bettered by asking again. */
  function answers(token: Token, { minimumSeconds = 0 }: TokenRequest): boolean {
    if (!isUsable(token, now())) return false
    return secondsLeft(token, now()) >= minimumSeconds || lifetimeSeconds(token) <= minimumSeconds
  }

  /** Who meets a stale token first renews it; if that fails it is handed out all the same, while it is usable. */
  async function renew(
    key: TokenKey,
    stale: CachedToken,
    obtain: () => Promise<Token>,
    request: TokenRequest,
  ): Promise<HandedOutToken> {
    try {
      return handOut(await obtain(), 'server', request)
    } catch (error) {
      if (!isTokenError(error) || !isUsable(stale.token, now())) throw error
      const waitSeconds = error instanceof CoolingDownError ? error.retryAfterSeconds : renewalPauseSeconds
      await cache.postpone(key, stale.token.id, now() + waitSeconds * 1000)
      const { code, message: reason } = error
      log({ event: 'renewal_failed', connection: request.connection, code, reason })
      return handOut(stale.token, stale.source, request)
    }
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
