import { isFresh, lifetimeSeconds, secondsLeft } from '../access-token/lifetime.ts'
import { type CallerRequest, isAnswer, leastSecondsLeft, type Token } from '../access-token/token.ts'
import { admitGrantType } from '../admission/admit-request.ts'
import { readAskedRequest } from '../admission/asked-request.ts'
import { demandUnended } from '../admission/ended-tokens.ts'
import { InvalidRequestError } from '../admission/invalid-request.ts'
import type { AskedRequest } from '../admission/unknown-parameters.ts'
import { createSingleFlight } from '../base/single-flight.ts'
import { inTime, type Pause } from '../base/time.ts'
import type { ConnectionCache } from '../configuration/connection-cache.ts'
import type { Log } from '../log/log-event.ts'
import { TimedOutError, UnreachableError } from '../token-endpoint/token-endpoint-error.ts'
import type { FoundToken, FromFleet } from './from-fleet.ts'
import type { TokenRejecter } from './reject-token.ts'
import { CoolingDownError } from './token-error.ts'
import type { CachedToken, MemoryKey, TokenMemory } from './token-memory.ts'

export interface HandedOutToken {
  readonly token: Token
  readonly source: FoundToken['source']
  /** The remaining lifetime, not the one at issue. */
  readonly secondsLeft: number
  /** The names of the request's parameters that had no effect. */
  readonly ignored: readonly string[]
}

export interface TokenProviderDependencies {
  readonly connections: ConnectionCache
  readonly memory: TokenMemory
  /** How long memory hands out a token before this process checks with the fleet that it is still the current one. */
  readonly memoryMaximumSeconds: number
  readonly rejections: TokenRejecter
  readonly fromFleet: FromFleet
  readonly now: () => number
  readonly pause: Pause
  readonly log: Log
}

/** The first of three tiers: the tokens in the memory of this process. The second one is `from-fleet.ts`. */
export type TokenProvider = ReturnType<typeof createTokenProvider>

export function createTokenProvider(dependencies: TokenProviderDependencies) {
  const { connections, memory, memoryMaximumSeconds, rejections, fromFleet, now, pause, log } = dependencies
  const outOfTime = () => new TimedOutError("No token came before the caller's deadline.")
  const singleFlight = createSingleFlight<FoundToken>({ now, pause, outOfTime })

  function isConfirmed({ confirmedAt }: CachedToken): boolean {
    return now() < confirmedAt + memoryMaximumSeconds * 1000
  }

  function handOut(
    token: Token,
    source: FoundToken['source'],
    { request, ignored }: AskedRequest<CallerRequest>,
  ): HandedOutToken {
    // The request for this token was admitted before, except for grant_type, which is not part of its token key.
    admitGrantType(request.username === undefined ? 'client_credentials' : 'password', request)
    const left = secondsLeft(token, now())
    const lifetime = lifetimeSeconds(token)
    if (left < leastSecondsLeft) throw UnreachableError.endsAtOnce(token.connection)
    if (left < (request.minimumSeconds ?? 0))
      throw new InvalidRequestError(
        'minimum_seconds',
        `is longer than the lifetime of this connection's tokens: ${lifetime} s from their issue, less the time of the delivery. Ask for fewer seconds.`,
      )
    const { caller } = request
    log({ event: 'token_issued', caller, connection: token.connection, tokenId: token.id, source, secondsLeft: left })
    return { token, source, secondsLeft: left, ignored }
  }

  async function getAsked(asked: AskedRequest<CallerRequest>, deadline: number): Promise<HandedOutToken> {
    const { request } = asked
    demandUnended(request, now())
    const key = memory.keyOf(request)
    const { connection, rejectedTokenId } = request
    if (rejectedTokenId !== undefined) await rejections.drop(connection, rejectedTokenId)

    const cached = memory.get(key)
    // The first request that meets a stale token renews it. The others get the stale token at once.
    if (cached && isAnswer(cached.token, request, now()) && isConfirmed(cached))
      if (isFresh(cached.token, now()) || singleFlight.isUnderWay(key)) return handOut(cached.token, 'memory', asked)

    for (;;) {
      let isOurs = false
      const find = async () => {
        isOurs = true
        return await fromFleet.find({ key, request, deadline, ...(cached && { cached: cached.token }) })
      }
      try {
        const { token, source, isNew } = await singleFlight.join(key, find, deadline)
        // A token that another request found may not answer this one, which may reject it or need a longer lifetime.
        const isForOthers = !token.isForOneRequest && (isNew || isAnswer(token, request, now()))
        if (isOurs || isForOthers) return handOut(token, source, asked)
        // Each caller gets its own. If they waited for each other, the last one would wait for all.
        if (token.isForOneRequest) return await findAlone(asked, key, deadline)
      } catch (error) {
        if (isOurs || !concernsAnother(error, request)) throw error
      }
    }
  }

  async function findAlone(
    asked: AskedRequest<CallerRequest>,
    key: MemoryKey,
    deadline: number,
  ): Promise<HandedOutToken> {
    const found = fromFleet.find({ key, request: asked.request, deadline })
    const { token, source } = await inTime(found, deadline - now(), pause, () => {
      throw outOfTime()
    })
    return handOut(token, source, asked)
  }

  return {
    /**
     * Gets a token for a request.
     * @param deadline the latest time for an answer to the caller, in milliseconds since the epoch
     * @throws {TokenwellError} the reason why there is no token
     */
    async get(callerRequest: CallerRequest, deadline: number): Promise<HandedOutToken> {
      const asked = await readAskedRequest(connections, callerRequest)
      try {
        return await getAsked(asked, deadline)
      } catch (error) {
        if (!(error instanceof InvalidRequestError)) throw error
        // Elements that have changed since the request was read may have other claims that name a user.
        const again = await readAskedRequest(connections, callerRequest)
        if (memory.keyOf(again.request) === memory.keyOf(asked.request)) throw error
        return await getAsked(again, deadline)
      }
    },
  }
}

/**
 * Whether the failure is only that of another caller, whose request this one has joined: its cool-down, or a `grant_type` that this connection
 * does not have, which is no part of the token key.
 */
function concernsAnother(error: unknown, { caller }: CallerRequest): boolean {
  if (error instanceof InvalidRequestError) return true
  return error instanceof CoolingDownError && error.caller !== undefined && error.caller !== caller
}
