import { isAnswer, keptToken, type Token, type TokenRequest } from '../access-token/token.ts'
import { type Admission, admit } from '../admission/admit-request.ts'
import type { TokenwellError } from '../base/tokenwell-error.ts'
import type { ConnectionCache, KnownConnection } from '../configuration/connection-cache.ts'
import { unlessUnavailable } from '../fleet/circuit-breaker.ts'
import type { Elements } from '../fleet/connection-record.ts'
import { type FailureToShare, type Lease, LeaseLostError, type StoredToken, unsharedLease } from '../fleet/lease.ts'
import type { Log } from '../log/log-event.ts'
import type { ObtainToken } from '../token-endpoint/request-token.ts'
import { UnreadableAnswerError } from '../token-endpoint/token-endpoint-error.ts'
import type { AskedFor, Look, SharedTokenCache } from './token-cache.ts'
import { CoolingDownError, isTokenError } from './token-error.ts'

/** Before a stale token whose renewal failed is tried again. */
const renewalPauseSeconds = 10
/** Kept back while the store is throttled: the token request has to have its time. */
export const attemptMilliseconds = 12_000

export interface AskingParts {
  readonly connections: ConnectionCache
  readonly cache: SharedTokenCache
  readonly obtainToken: ObtainToken
  readonly now: () => number
  readonly log: Log
}

export interface Order {
  readonly request: TokenRequest
  /** Milliseconds since the epoch by which the answer is needed. */
  readonly deadline: number
  /** Good until its time, and to be renewed. */
  readonly inHand: Token | undefined
  /** The last one that was obtained, good or not. */
  readonly known: Token | undefined
  /** Whether somebody asks for the token, who may do so again. */
  readonly isUse: boolean
}

/** `postponed`: what was in hand serves on. */
export type Asked =
  | (StoredToken & { readonly outcome: 'renewed' })
  | { readonly outcome: 'postponed'; readonly token: Token; readonly error: TokenwellError }

/** Asks the token endpoint. Throws what there is of `TokenwellError` where no token was in hand. */
export interface Asking {
  /**
   * For the whole fleet. Undefined where somebody else holds the lease, or came between.
   * @throws {CacheUnavailableError} where nobody waits for the token: to ask without a lease would be of no use
   */
  underLease(order: Order, look: Look): Promise<Asked | undefined>
  /** A slow day, on which the cache can't be asked: for this process. */
  alone(order: Order): Promise<Asked>
}

export function createAsking({ connections, cache, obtainToken, now, log }: AskingParts): Asking {
  async function ask(
    lease: Lease,
    order: Order,
    admission: Admission | undefined,
    fingerprint?: string,
  ): Promise<Asked> {
    const { request, deadline, known, isUse } = order
    try {
      const admitted = admission ?? (await admit(connections, request, fingerprint))
      await lease.settle(elementsOf(admitted))
      const obtained = await obtainToken({ ...admitted, request, deadline, keepLease: lease.keepFor })
      return { outcome: 'renewed', ...(await lease.store(keptToken(obtained, known, now()), askedFor(request), isUse)) }
    } catch (error) {
      if (error instanceof LeaseLostError) throw error
      return fail(lease, order, error)
    }
  }

  /** Tells the others; a token in hand is to be renewed later. */
  async function fail(lease: Lease, { request, inHand }: Order, error: unknown): Promise<Asked> {
    const isInHand = inHand !== undefined && isTokenError(error) && isAnswer(inHand, request, now())
    const refreshAt = isInHand ? now() + renewalPause(error) * 1000 : undefined
    await lease.end({ ...failureForOthers(error, now()), ...(refreshAt !== undefined && { refreshAt }) })
    if (!isInHand || refreshAt === undefined) throw error
    log({ event: 'renewal_failed', connection: request.connection, code: error.code, reason: error.message })
    return { outcome: 'postponed', token: { ...inHand, refreshAt }, error }
  }

  return {
    alone: async (order) => ask(unsharedLease, order, await admit(connections, order.request)),
    async underLease(order, look) {
      if (look.isLeased) return undefined
      const { request, deadline } = order
      const fingerprint = look.read.connection?.fingerprint
      const isAtHand = fingerprint === undefined || connections.has(request.connection, fingerprint)
      // Whoever can tell without reading whether a request may be made tells before it takes the lease.
      const admission = isAtHand ? await admit(connections, request, fingerprint) : undefined
      const taking = () => cache.takeLease(look, deadline - attemptMilliseconds)
      const lease = order.isUse ? await unlessUnavailable(taking, unsharedLease) : await taking()
      try {
        return lease && (await ask(lease, order, admission, fingerprint))
      } catch (error) {
        if (error instanceof LeaseLostError) return undefined
        throw error
      }
    },
  }
}

function renewalPause(error: TokenwellError): number {
  return error instanceof CoolingDownError ? error.retryAfterSeconds : renewalPauseSeconds
}

/** What the fleet is told of the elements by which a token is asked for. */
export function elementsOf({ connection: { warming, authorizationServer }, fingerprint }: KnownConnection): Elements {
  const { id, maximumConcurrency } = authorizationServer
  return { fingerprint, ...(warming && { warming: { ...warming, authorizationServer: id, maximumConcurrency } }) }
}

/** Undefined for a user's token: without the password nobody can ask for it again. */
export function askedFor({ scope, resource, audience, further, password }: TokenRequest): AskedFor | undefined {
  if (password) return undefined
  return {
    ...(scope && { scope }),
    ...(resource && { resource }),
    ...(audience !== undefined && { audience }),
    further,
  }
}

/** What cools down beyond one token ends for all of them at once: each record says so only for a moment. */
const widerMilliseconds = 2_000

/** What the fleet is told: what the token endpoint did. Of our own faults each process has to see for itself. */
export function failureForOthers(error: unknown, now: number): FailureToShare {
  if (error instanceof UnreadableAnswerError) return { error }
  if (!(error instanceof CoolingDownError) || !error.failure) return {}
  const retryAt = now + error.retryAfterSeconds * 1000
  const told = { error: error.failure, retryAt }
  if (!error.began) return told
  return { ...told, until: error.began === 'token' ? retryAt : Math.min(retryAt, now + widerMilliseconds) }
}
