import type { Connections } from '../configuration/connections.ts'
import type { Log } from '../log/log-event.ts'
import { TimedOutError, UnreadableAnswerError } from '../token-endpoint/token-endpoint-error.ts'
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

interface ObtainedToken {
  readonly token: Token
  readonly source: 'server'
}

export interface HandedOutToken {
  readonly token: Token
  readonly source: (CachedToken | ObtainedToken)['source']
  /** What is left, not what was issued. */
  readonly secondsLeft: number
}

export interface GetTokenParts {
  readonly connections: Connections
  readonly cache: TokenCache
  readonly rejectToken: RejectToken
  readonly obtainToken: ObtainToken
  readonly now: () => number
  readonly pause: (milliseconds: number) => Promise<unknown>
  readonly log: Log
}

/**
 * The use case: a token for a request. Its errors are those of `TokenError`.
 * @param deadline milliseconds since the epoch by which the caller needs an answer
 */
export type GetToken = (request: TokenRequest, deadline: number) => Promise<HandedOutToken>

export function createGetToken(parts: GetTokenParts): GetToken {
  const { connections, cache, rejectToken, obtainToken, now, pause, log } = parts
  const outOfTime = () => new TimedOutError("No token came before the caller's deadline.")
  const singleFlight = createSingleFlight<CachedToken | ObtainedToken>({ now, pause, outOfTime })

  return async (request, deadline) => {
    const connection = await connections.get(request.connection)
    const parameters = admitRequest(connection, request)
    const key = tokenKey(request)
    if (request.rejectedTokenId !== undefined) await rejectToken(request.connection, request.rejectedTokenId)

    const cached = await cache.get(key)
    const obtain = () =>
      singleFlight.join(key, deadline, async () => {
        // Somebody may have obtained it since: who reads a shared cache slowly comes after others have landed.
        const latest = await cache.get(key)
        if (latest && latest.token.id !== cached?.token.id && answers(latest.token, request)) return latest

        const obtained = await obtainToken(connection, request, parameters, deadline)
        const kept = keptToken(obtained, latest?.token, now())
        await cache.store(key, kept)
        return { token: { ...obtained, id: kept.id }, source: 'server' }
      })

    if (!cached || !answers(cached.token, request)) return handOut(await obtain(), request)
    if (isFresh(cached.token, now()) || singleFlight.isUnderWay(key)) return handOut(cached, request)
    return renew(key, cached, obtain, request)
  }

  /** A token that lives shorter than asked for, however new, isn't bettered by asking again. */
  function answers(token: Token, { minimumSeconds = 0 }: TokenRequest): boolean {
    const left = secondsLeft(token, now())
    if (!isUsable(token, now()) || left < leastSecondsLeft) return false
    return left >= minimumSeconds || lifetimeSeconds(token) <= minimumSeconds
  }

  /** Who meets a stale token first renews it; if that fails it is handed out all the same, while it is usable. */
  async function renew(
    key: TokenKey,
    stale: CachedToken,
    obtain: () => Promise<CachedToken | ObtainedToken>,
    request: TokenRequest,
  ): Promise<HandedOutToken> {
    try {
      return handOut(await obtain(), request)
    } catch (error) {
      if (!isTokenError(error) || !isUsable(stale.token, now())) throw error
      const waitSeconds = error instanceof CoolingDownError ? error.retryAfterSeconds : renewalPauseSeconds
      await cache.postpone(key, stale.token.id, now() + waitSeconds * 1000)
      const { code, message: reason } = error
      log({ event: 'renewal_failed', connection: request.connection, code, reason })
      return handOut(stale, request)
    }
  }

  function handOut({ token, source }: CachedToken | ObtainedToken, request: TokenRequest): HandedOutToken {
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
