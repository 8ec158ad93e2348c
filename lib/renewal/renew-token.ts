import type { Log } from '../log/log-event.ts'
import { type Asking, attemptMilliseconds } from '../token/asking.ts'
import { isAnswer } from '../token/found-token.ts'
import { InvalidRequestError } from '../token/invalid-request-error.ts'
import type { Token } from '../token/token.ts'
import { causeOf, isTokenError, type TokenError } from '../token/token-error.ts'
import type { TokenRequest } from '../token/token-request.ts'
import type { RecordName } from '../token-cache/record-name.ts'
import type { Look, SharedTokenCache } from '../token-cache/shared-token-cache.ts'
import { RefusedError } from '../token-endpoint/token-endpoint-error.ts'

/** How renewing a token went for which nobody waits. */
export type Renewal =
  | { readonly outcome: 'renewed'; readonly connection: string; readonly token: Token }
  /** `cooling_down`: it failed for somebody else, and nobody may ask for a while. */
  | { readonly outcome: 'failed' | 'cooling_down'; readonly connection: string; readonly error: TokenError }
  /**
   * `not_needed`: it is good for long enough, or nobody uses it. `under_way`: somebody else asks for it. `unknown`: nobody
   * knows any more what was asked for.
   */
  | { readonly outcome: 'not_needed' | 'under_way' | 'unknown'; readonly connection: string }

export interface RenewalWanted {
  readonly name: RecordName
  /** Only if it is still that one, or none any more. */
  readonly tokenId?: string
  /** A token that is fresh until then needs no renewal. Milliseconds since the epoch, as is the deadline. */
  readonly freshUntil: number
  readonly deadline: number
  /** Only if it is kept warm. */
  readonly isWarming?: boolean
}

/**
 * Makes the token request of a token's record once more, under the lease, whatever has become of the token.
 * @throws {CacheUnavailableError}
 */
export type RenewToken = (wanted: RenewalWanted) => Promise<Renewal>

export interface RenewTokenParts {
  readonly cache: SharedTokenCache
  readonly asking: Asking
  readonly now: () => number
  readonly log: Log
}

export function createRenewToken({ cache, asking, now, log }: RenewTokenParts): RenewToken {
  return async ({ name, tokenId, freshUntil, deadline, isWarming = false }) => {
    const connection = name.group
    const waitUntil = deadline - attemptMilliseconds
    const look = await cache.lookAt(name, waitUntil)
    if (isWarming && !(await cache.isKeptWarm(look, waitUntil))) return { outcome: 'not_needed', connection }
    if (look.token && isGoodEnough(look.token, freshUntil, tokenId)) return { outcome: 'not_needed', connection }
    if (look.isLeased) return { outcome: 'under_way', connection }
    if (look.failure && now() < look.failure.until)
      return { outcome: 'cooling_down', connection, error: look.failure.error }
    if (!look.asked) return { outcome: 'unknown', connection }

    const request = { connection, ...look.asked }
    try {
      const asked = await asking.underLease(orderFor(request, look, deadline), look)
      if (!asked) return { outcome: 'under_way', connection }
      if (asked.outcome === 'postponed') return { outcome: 'failed', connection, error: asked.error }
      return { outcome: 'renewed', connection, token: asked.token }
    } catch (error) {
      if (!isTokenError(error)) throw error
      log({ event: 'renewal_failed', connection, code: error.code, reason: error.message })
      if (isForAskers(error)) await cache.forgetUse(look, waitUntil)
      return { outcome: 'failed', connection, error }
    }
  }

  function orderFor(request: TokenRequest, { token }: Look, deadline: number) {
    const inHand = token && isAnswer(token, request, now()) ? token : undefined
    return { request, deadline, inHand, known: token, isUse: false }
  }
}

function isGoodEnough({ id, refreshAt }: Token, freshUntil: number, tokenId = id): boolean {
  return refreshAt > freshUntil || id !== tokenId
}

/** What was asked for isn't to be had any more: its caller has to hear of it, and asking again and again changes nothing. */
function isForAskers(error: TokenError): boolean {
  const cause = causeOf(error)
  return cause instanceof InvalidRequestError || (cause instanceof RefusedError && cause.fault === 'caller')
}
