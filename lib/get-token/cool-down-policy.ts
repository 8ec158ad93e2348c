import { knownCallers } from '../access-token/caller.ts'
import type { Connection } from '../configuration/connection.ts'
import type { CoolDownPass, CoolDownRegistry, Reservation } from '../fleet/cool-downs.ts'
import type { Log } from '../log/log-event.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import {
  type Blame,
  RefusedError,
  readFailure,
  TokenEndpointError,
  UnreachableError,
  writeFailure,
} from '../token-endpoint/token-endpoint-error.ts'
import { type CoolDownKind, coolDownNames, type NamedRequest, passwordQuotaNames } from './cool-down-names.ts'
import { CoolingDownError } from './token-error.ts'

/** A request that may be made now. */
export interface Clearance {
  readonly pass: CoolDownPass<CoolDownKind>
  /** Places for the guess of a password. */
  readonly reservations: readonly Extract<Reservation, { readonly kind: 'reserved' }>[]
  readonly turn: string
}

/** What a failure came to. */
export interface Verdict {
  /** What callers are told instead of the error. */
  readonly reported: unknown
  /** The wider thing that may be at fault: the connection's own request can tell. */
  readonly suspect?: 'endpoint' | 'client' | 'connection' | undefined
}

/** What a server allows its client after a limit (429) is not used up by what callers add, while own requests are made. */
const ownFirstMilliseconds = 2_000
/** So many tokens of one caller may fail in a minute, for one connection. */
const mostFailures = 10

/** Which failure keeps what from being asked for, and for how long: what waits is what the evidence speaks about. */
export type CoolDownPolicy = ReturnType<typeof createCoolDownPolicy>

export function createCoolDownPolicy(dependencies: {
  readonly coolDowns: CoolDownRegistry
  readonly secrets: SecretCache
  readonly log: Log
}) {
  const { coolDowns, secrets, log } = dependencies
  /** By endpoint and caller. A second request of the same caller that was begun before any suspicion does not count. */
  const underWay = new Set<string>()

  /** @throws {CoolingDownError} with the failure that began it, where anything that the request depends on is cooling down */
  async function clear(context: NamedRequest & { readonly mendedAt?: number | undefined }): Promise<Clearance> {
    const { isOwn, mendedAt } = context
    const names = await coolDownNames(context, secrets)
    const turn = JSON.stringify([names.endpoint, context.caller])
    const letsOthersGoFirst = isOwn ? {} : { client: ownFirstMilliseconds }
    const check = await coolDowns.check(names as Record<CoolDownKind, string>, { isOwn, mendedAt }, letsOthersGoFirst)
    if (check.kind === 'clear') {
      await demandTurn(turn, context, check.pass)
      const reservations = await reserveGuess(context, check.pass)
      underWay.add(turn)
      return { pass: check.pass, reservations, turn }
    }
    throw CoolingDownError.after(readFailure(check.failure), check.retryAfterSeconds, {
      caller: callerOf(check.of, context),
    })
  }

  /** A server that may be failing gets one request of a caller at a time from each process. Nobody waits for warm runs. */
  async function demandTurn(turn: string, { caller }: NamedRequest, pass: CoolDownPass<CoolDownKind>): Promise<void> {
    if (!pass.isSuspected || !underWay.has(turn) || caller === knownCallers.tokenwell) return
    await pass.release()
    throw CoolingDownError.notYourTurn(caller)
  }

  /** A place is taken before the password is sent: what is counted afterwards comes too late for guesses that are under way. */
  async function reserveGuess(
    { connection, request, caller }: NamedRequest,
    pass: CoolDownPass<CoolDownKind>,
  ): Promise<Clearance['reservations']> {
    if (request.password === undefined) return []
    const reservations: Extract<Reservation, { readonly kind: 'reserved' }>[] = []
    for (const { name, most } of passwordQuotaNames(connection, request, caller)) {
      const reservation = await coolDowns.reserve(name, most)
      if (reservation.kind === 'reserved') reservations.push(reservation)
      else {
        for (const each of reservations) await each.giveBack()
        await pass.release()
        throw CoolingDownError.tooManyGuesses(reservation.retryAfterSeconds, caller)
      }
    }
    return reservations
  }

  async function noteSuccess({ pass, reservations, turn }: Clearance, { connection }: NamedRequest): Promise<void> {
    underWay.delete(turn)
    for (const each of reservations) await each.giveBack()
    logEnd(await pass.end(), connection)
  }

  /** @param isRepeated whether the request is made once more, in a moment */
  async function noteFailure(
    error: unknown,
    context: NamedRequest,
    { pass, reservations, turn }: Clearance,
    isRepeated: boolean,
  ): Promise<Verdict> {
    underWay.delete(turn)
    if (!(error instanceof RefusedError)) for (const each of reservations) await each.giveBack()
    if (!(error instanceof TokenEndpointError)) {
      await pass.release()
      return { reported: error }
    }
    logEnd(await pass.end(provenBy(error)), context.connection)
    const waits = whatWaits(error, context)
    // Only whoever gives up tells the others, but where the server says when to come back nobody asks before.
    const isFinal = !isRepeated || (error instanceof UnreachableError && error.retryAfterSeconds !== undefined)
    if (waits && !isFinal) await pass.suspect(waits)
    const reported = waits && isFinal ? await begin(waits, error, context, pass) : error
    await pass.release()
    const suspect = waits === 'token' && !context.isOwn ? suspectOf(error, context) : undefined
    return { reported, ...(suspect && isFinal && { suspect }) }
  }

  async function begin(
    of: CoolDownKind,
    error: TokenEndpointError,
    context: NamedRequest,
    pass: CoolDownPass<CoolDownKind>,
  ): Promise<CoolingDownError> {
    const { authorizationServer } = context.connection
    // Of a token that ends at once the next is a new one, unless the server has no others: then it is left alone ever longer.
    const isEnding = error instanceof UnreachableError && error.blames === 'token'
    const retryAfterSeconds = error instanceof UnreachableError && !isEnding ? error.retryAfterSeconds : undefined
    const duration = { baseSeconds: isEnding ? 1 : authorizationServer.coolDownSeconds, retryAfterSeconds }
    const seconds = await pass.begin(of, writeFailure(error), duration)
    // One token key costs one request, however many callers ask for it.
    if (of === 'variants') await pass.begin('token', writeFailure(error), duration)
    logBegin(of, error, context, seconds)
    if (of === 'token' && countsForCaller(error, context)) {
      const callersSeconds = await pass.count('caller', mostFailures, writeFailure(error))
      if (callersSeconds !== undefined) logBegin('caller', error, context, callersSeconds)
    }
    return CoolingDownError.after(error, seconds, { caller: callerOf(of, context), began: of })
  }

  function logEnd(ended: readonly CoolDownKind[], { name: connection }: Connection): void {
    for (const of of ended) log({ event: 'cool_down_ended', connection, of })
  }

  function logBegin(of: CoolDownKind, { code }: TokenEndpointError, context: NamedRequest, seconds: number): void {
    const { connection, caller } = context
    const whom = callerOf(of, context) !== undefined && { caller }
    const authorizationServer = connection.authorizationServer.id
    log({ event: 'cool_down_begun', connection: connection.name, authorizationServer, of, code, seconds, ...whom })
  }

  return { clear, noteSuccess, noteFailure }
}

/** What a failure shows to be fine: a server that refuses is there, and there is a way to one that fails. */
function provenBy({ blames }: TokenEndpointError): readonly CoolDownKind[] {
  switch (blames) {
    case 'client':
    case 'connection':
    case 'token':
      return ['way', 'endpoint']
    case 'endpoint':
      return ['way']
    case 'way':
    case 'nothing':
      return []
  }
}

/** Undefined where nothing does: a caller in a hurry says nothing about the server. */
function whatWaits(
  { blames, mayBeOfRequest, code }: TokenEndpointError,
  { isOwn }: NamedRequest,
): CoolDownKind | undefined {
  if (blames === 'nothing') return undefined
  if (isOwn || !mayBeOfRequest) return blames
  return blames === 'client' && code === 'unreachable' ? 'variants' : 'token'
}

/** Of a failure that may be the caller's addition: what else may be at fault. */
const suspects = {
  way: 'endpoint',
  endpoint: 'endpoint',
  client: 'client',
  connection: 'connection',
  token: undefined,
  nothing: undefined,
} as const satisfies Record<Blame, Verdict['suspect']>

/** Nobody has a user's password but the user's caller: there is no request of the connection's own. */
function suspectOf({ blames }: TokenEndpointError, { connection }: NamedRequest): Verdict['suspect'] {
  return connection.grantType === 'password' ? undefined : suspects[blames]
}

/** Guesses of passwords have quotas of their own, and warm runs a fixed number of tokens. */
function countsForCaller(error: TokenEndpointError, { isOwn, caller, request }: NamedRequest): boolean {
  const isGuess = request.password !== undefined && error instanceof RefusedError && error.error === 'invalid_grant'
  return !isOwn && !isGuess && caller !== knownCallers.tokenwell
}

/** Whom alone a cool-down concerns. */
function callerOf(of: CoolDownKind, { caller }: NamedRequest): string | undefined {
  return of === 'variants' || of === 'caller' ? caller : undefined
}
