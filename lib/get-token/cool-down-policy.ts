import { knownCallers } from '../access-token/caller.ts'
import { callersTokens, isForUser } from '../access-token/token.ts'
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
  UnreadableAnswerError,
  writeFailure,
} from '../token-endpoint/token-endpoint-error.ts'
import { type CoolDownKind, coolDownNames, type NamedRequest, passwordQuotaNames } from './cool-down-names.ts'
import { CoolingDownError } from './token-error.ts'

/** The permission to make a token request now. */
export interface Clearance {
  readonly pass: CoolDownPass<CoolDownKind>
  /** Places in the quotas for password guesses. */
  readonly reservations: readonly Extract<Reservation, { readonly kind: 'reserved' }>[]
  readonly turn: string
}

/** What follows from a failure. */
export interface Verdict {
  /** The error that callers get. */
  readonly reported: unknown
  /** The wider thing that may be the reason. A control request can find out. */
  readonly suspect?: 'endpoint' | 'client' | 'connection' | undefined
}

/** After a rate limit (429), requests with caller parameters wait this much longer, so that own requests go first. */
const ownFirstMilliseconds = 2_000
/** The token keys of one caller that may fail within a minute, for one connection. */
const mostFailures = 10

/** Decides what cools down after which failure, and for how long. A cool-down covers exactly what the failure is evidence about. */
export type CoolDownPolicy = ReturnType<typeof createCoolDownPolicy>

export function createCoolDownPolicy(dependencies: {
  readonly coolDowns: CoolDownRegistry
  readonly secrets: SecretCache
  readonly log: Log
}) {
  const { coolDowns, secrets, log } = dependencies
  /** The endpoints and callers with a request under way. A second request that began before any suspicion is not counted. */
  const underWay = new Set<string>()

  /** @throws {CoolingDownError} with the failure that began the cool-down, where anything that the request depends on cools down */
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

  /** A server that may be failing gets one request of each caller at a time from each process. Warm runs are not limited. */
  async function demandTurn(turn: string, { caller }: NamedRequest, pass: CoolDownPass<CoolDownKind>): Promise<void> {
    if (!pass.isSuspected || !underWay.has(turn) || caller === knownCallers.tokenwell) return
    await pass.release()
    throw CoolingDownError.notYourTurn(caller)
  }

  /** Takes a place before the password is sent. A count after the answer would miss the guesses that are under way. */
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

  /** @param isRepeated whether the request will be retried */
  async function noteFailure(
    error: unknown,
    context: NamedRequest,
    { pass, reservations, turn }: Clearance,
    isRepeated: boolean,
  ): Promise<Verdict> {
    underWay.delete(turn)
    if (!answersGuess(error, context)) for (const each of reservations) await each.giveBack()
    if (!(error instanceof TokenEndpointError)) {
      await pass.release()
      return { reported: error }
    }
    logEnd(await pass.end(provenBy(error)), context.connection)
    const waits = whatWaits(error, context)
    // Other requests get a failure only after its last retry, but where the server names a pause, every request waits at once.
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
    // After a token that expires at once, the next token is usually a new one. If it isn't, each cool-down is twice as long.
    const isEnding = error instanceof UnreachableError && error.blames === 'token'
    const retryAfterSeconds = error instanceof UnreachableError && !isEnding ? error.retryAfterSeconds : undefined
    const duration = { baseSeconds: isEnding ? 1 : authorizationServer.coolDownSeconds, retryAfterSeconds }
    const seconds = await pass.begin(of, writeFailure(error), duration)
    // Without this, the same token key would cost one request for each caller.
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

/** What a failure proves to work: a server that refuses is reachable, and the way to a failing endpoint works. */
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

/** What cools down after a failure. Undefined where nothing does: a caller's short deadline is no evidence about the server. */
function whatWaits(
  { blames, mayBeOfRequest, code }: TokenEndpointError,
  { isOwn, request }: NamedRequest,
): CoolDownKind | undefined {
  if (blames === 'nothing') return undefined
  // Some servers say invalid_client of a subject token. A caller with a bad token must not stop all others.
  const mayBeOfToken = blames === 'client' && callersTokens(request).length > 0
  if (isOwn || (!mayBeOfRequest && !mayBeOfToken)) return blames
  return blames === 'client' && code === 'unreachable' ? 'variants' : 'token'
}

/** For a failure that caller parameters may have caused: what else may be the reason. */
const suspects = {
  way: 'endpoint',
  endpoint: 'endpoint',
  client: 'client',
  connection: 'connection',
  token: undefined,
  nothing: undefined,
} as const satisfies Record<Blame, Verdict['suspect']>

/** Where a user's token needs what only the caller has, there is no own request that could show who is to blame. */
function suspectOf({ blames }: TokenEndpointError, { request }: NamedRequest): Verdict['suspect'] {
  return isForUser(request) ? undefined : suspects[blames]
}

/** Whether the server may have said that the password is wrong. A server that is not OAuth may say so in any form. */
function answersGuess(error: unknown, { connection }: NamedRequest): boolean {
  return error instanceof RefusedError || (error instanceof UnreadableAnswerError && isAuthToken(connection))
}

function isAuthToken({ grant }: NamedRequest['connection']): boolean {
  return grant.type === 'authToken'
}

/** Password guesses have their own quotas, and warm runs have a fixed number of tokens. */
function countsForCaller(error: TokenEndpointError, { connection, isOwn, caller, request }: NamedRequest): boolean {
  const isOfPassword = error instanceof RefusedError && (error.error === 'invalid_grant' || isAuthToken(connection))
  const isGuess = request.password !== undefined && isOfPassword
  return !isOwn && !isGuess && caller !== knownCallers.tokenwell
}

/** The one caller that a cool-down is for. Undefined where it is for all callers. */
function callerOf(of: CoolDownKind, { caller }: NamedRequest): string | undefined {
  return of === 'variants' || of === 'caller' ? caller : undefined
}
