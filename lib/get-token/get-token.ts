import { isFresh, lifetimeSeconds, secondsLeft } from '../access-token/lifetime.ts'
import {
  type FoundToken,
  isAnswer,
  leastSecondsLeft,
  type Token,
  type TokenRequest,
  tokenKey,
} from '../access-token/token.ts'
import { admitGrantType, InvalidRequestError } from '../admission/admit-request.ts'
import { createSingleFlight } from '../base/single-flight.ts'
import type { Pause } from '../base/time.ts'
import type { Log } from '../log/log-event.ts'
import { TimedOutError, UnreadableAnswerError } from '../token-endpoint/token-endpoint-error.ts'
import type { AskFleet } from './from-fleet.ts'
import type { RejectToken } from './reject-token.ts'
import type { HeldToken, TokenMemory } from './token-memory.ts'

export interface HandedOutToken {
  readonly token: Token
  readonly source: FoundToken['source']
  /** What is left, not what was issued. */
  readonly secondsLeft: number
}

export interface GetTokenParts {
  readonly memory: TokenMemory
  /** How long a token is handed out from memory before the fleet is asked whether it is still that one. */
  readonly memoryMaximumSeconds: number
  readonly rejectToken: RejectToken
  readonly askFleet: AskFleet
  readonly now: () => number
  readonly pause: Pause
  readonly log: Log
}

/**
 * The use case: a token for a request. Its errors are those of `TokenError`.
 * @param deadline milliseconds since the epoch by which the caller needs an answer
 */
export type GetToken = (request: TokenRequest, deadline: number) => Promise<HandedOutToken>

export function createGetToken(parts: GetTokenParts): GetToken {
  const { memory, memoryMaximumSeconds, rejectToken, askFleet, now, pause, log } = parts
  const outOfTime = () => new TimedOutError("No token came before the caller's deadline.")
  const singleFlight = createSingleFlight<FoundToken>({ now, pause, outOfTime })

  return async (request, deadline) => {
    const key = tokenKey(request)
    if (request.rejectedTokenId !== undefined) await rejectToken(request.connection, request.rejectedTokenId)

    const held = memory.get(key)
    // Who meets a stale token first renews it; the others get it at once.
    if (held && isAnswer(held.token, request, now()) && isConfirmed(held))
      if (isFresh(held.token, now()) || singleFlight.isUnderWay(key)) return handOut(held.token, 'memory', request)

    for (;;) {
      let isOurs = false
      const start = async () => {
        isOurs = true
        const found = await askFleet({ key, request, deadline, ...(held && { held: held.token }), learn })
        if (found.isCurrent) memory.put(key, found.token, now())
        return found
      }
      const { token, source, isNew } = await singleFlight.join(key, start, deadline)
      // What others found may not do for this one.
      if (isOurs || isNew || isAnswer(token, request, now())) return handOut(token, source, request)
    }

    /** What is known by then is known to all callers at once, not only when the flight lands. */
    function learn(current: Token | undefined): void {
      if (current) memory.put(key, current, now())
      else if (held) memory.forget(request.connection, held.token.id)
    }
  }

  function isConfirmed({ confirmedAt }: HeldToken): boolean {
    return now() < confirmedAt + memoryMaximumSeconds * 1000
  }

  function handOut(token: Token, source: FoundToken['source'], request: TokenRequest): HandedOutToken {
    // Its request was admitted when it was obtained, but for what is no part of its key.
    admitGrantType(request.username === undefined ? 'client_credentials' : 'password', request)
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
