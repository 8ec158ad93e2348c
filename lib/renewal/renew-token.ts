import { isAnswer, type Token, type TokenRequest } from '../access-token/token.ts'
import { InvalidRequestError } from '../admission/admit-request.ts'
import type { TokenwellError } from '../base/tokenwell-error.ts'
import type { ConnectionCache } from '../configuration/connection-cache.ts'
import { UnknownConnectionError } from '../configuration/finding.ts'
import { type EventBus, raiseOrLog } from '../events/event-bus.ts'
import { CacheUnavailableError } from '../fleet/circuit-breaker.ts'
import { type Elements, noElements } from '../fleet/connection-record.ts'
import type { RecordName } from '../fleet/record-store.ts'
import { type Asked, type Asking, attemptMilliseconds, type Order } from '../get-token/leased-request.ts'
import type { Look, SharedTokenCache } from '../get-token/token-cache.ts'
import { causeOf, isTokenError } from '../get-token/token-error.ts'
import type { Log } from '../log/log-event.ts'
import { RefusedError } from '../token-endpoint/token-endpoint-error.ts'

/** How renewing a token went for which nobody waits. */
export type Renewal =
  | { readonly outcome: 'renewed'; readonly connection: string; readonly token: Token }
  /** `cooling_down`: it failed for somebody else, and nobody may ask for a while. */
  | { readonly outcome: 'failed' | 'cooling_down'; readonly connection: string; readonly error: TokenwellError }
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
  readonly leaveToChange: LeaveToChange
  readonly now: () => number
  readonly log: Log
}

/** Who loses the race that often leaves the token to those who won it. */
const mostTries = 3

export function createRenewToken({ cache, asking, leaveToChange, now, log }: RenewTokenParts): RenewToken {
  return async (wanted) => {
    for (let tries = 0; tries < mostTries; tries++) {
      const renewal = await renewOnce(wanted)
      if (renewal) return renewal
    }
    return { outcome: 'under_way', connection: wanted.name.group }
  }

  /** Undefined where somebody else came between. */
  async function renewOnce(wanted: RenewalWanted): Promise<Renewal | undefined> {
    const { name, tokenId, freshUntil, deadline, isWarming = false } = wanted
    const connection = name.group
    const waitUntil = deadline - attemptMilliseconds
    const look = await cache.lookAt(name, waitUntil)
    if (isWarming && !(await cache.isKeptWarm(look, waitUntil))) return { outcome: 'not_needed', connection }
    if (look.token && isGoodEnough(look.token, freshUntil, tokenId)) return { outcome: 'not_needed', connection }
    if (look.isLeased) return { outcome: 'under_way', connection }
    if (look.failure && now() < look.failure.until)
      return { outcome: 'cooling_down', connection, error: look.failure.error }
    if (!look.asked) return { outcome: 'unknown', connection }

    const order = orderFor({ connection, ...look.asked }, look, deadline)
    const present = order.inHand && look.read.connection?.fingerprint
    if (present !== undefined && (await leaveToChange(connection, present))) return { outcome: 'under_way', connection }
    const asked = await ask(order, look)
    if (!asked) return undefined
    if ('error' in asked) {
      if (isForAskers(asked.error)) await cache.forgetUse(look, waitUntil)
      return { outcome: 'failed', connection, error: asked.error }
    }
    if (asked.isShared) return { outcome: 'renewed', connection, token: asked.token }
    if (!asked.isCurrent) return undefined
    throw new CacheUnavailableError('the token that came could not be stored')
  }

  async function ask(order: Order, look: Look): Promise<Asked | { readonly error: TokenwellError } | undefined> {
    try {
      return await asking.underLease(order, look)
    } catch (error) {
      if (!isTokenError(error)) throw error
      log({ event: 'renewal_failed', connection: look.read.name.group, code: error.code, reason: error.message })
      return { error }
    }
  }

  function orderFor(request: TokenRequest, { token }: Look, deadline: number): Order {
    const inHand = token && isAnswer(token, request, now()) ? token : undefined
    return { request, deadline, inHand, known: token, isUse: false }
  }
}

function isGoodEnough({ id, refreshAt }: Token, freshUntil: number, tokenId = id): boolean {
  return refreshAt > freshUntil || id !== tokenId
}

/** What was asked for isn't to be had any more: its caller has to hear of it, and asking again and again changes nothing. */
function isForAskers(error: TokenwellError): boolean {
  const cause = causeOf(error)
  if (cause instanceof RefusedError) return cause.fault === 'caller'
  return cause instanceof InvalidRequestError || cause instanceof UnknownConnectionError
}

/** Before the same change is told of again, where nothing has come of it. */
const tellAgainMilliseconds = 20_000

/**
 * Whether a renewal is to be left to `ConnectionChanged`: the elements have changed, and a token obtained under them would bring
 * them into force before there are others. Where nobody has told of the change this does.
 * @param fingerprint of the elements by which the fleet goes
 */
export type LeaveToChange = (connection: string, fingerprint: string) => Promise<boolean>

export interface LeaveToChangeParts {
  readonly connections: ConnectionCache
  readonly events: EventBus
  readonly now: () => number
  readonly log: Log
}

interface Telling {
  readonly fingerprint: string
  readonly at: number
  readonly isRaised: Promise<boolean>
}

export function createLeaveToChange({ connections, events, now, log }: LeaveToChangeParts): LeaveToChange {
  const told = new Map<string, Telling>()

  return async (connection, fingerprint) => {
    if (!events.isHeard) return false
    const latest = await connections.get(connection, fingerprint).catch(elementsInstead)
    return latest !== undefined && latest.fingerprint !== fingerprint && tell(connection, latest)
  }

  /** One for all of its tokens that are renewed at that moment. */
  function tell(connection: string, { fingerprint }: Elements): Promise<boolean> {
    const before = told.get(connection)
    if (before?.fingerprint === fingerprint && now() < before.at + tellAgainMilliseconds) return before.isRaised
    const isRaised = raiseOrLog(events, [{ type: 'ConnectionChanged', connection }], log)
    told.set(connection, { fingerprint, at: now(), isRaised })
    return isRaised
  }
}

/** Undefined where whoever asks for the token meets the same error, and tells it. */
function elementsInstead(error: unknown): Elements | undefined {
  if (error instanceof UnknownConnectionError) return noElements
  if (!isTokenError(error)) throw error
  return undefined
}
