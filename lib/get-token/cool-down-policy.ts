import { LRUCache } from 'lru-cache'
import { tokenKey } from '../access-token/token.ts'
import type { Connection } from '../configuration/connection.ts'
import type { CoolDownRegistry } from '../fleet/cool-downs.ts'
import type { Log } from '../log/log-event.ts'
import type { TokenRequestContext } from '../token-endpoint/token-client.ts'
import {
  RefusedError,
  readFailure,
  TimedOutError,
  type TokenEndpointError,
  UnreachableError,
  UnreadableAnswerError,
  writeFailure,
} from '../token-endpoint/token-endpoint-error.ts'
import { type CoolDownKind, CoolingDownError } from './token-error.ts'

/** What a token request depends on, by the names under which each cools down. */
export interface CoolDownNames extends Readonly<Record<CoolDownKind, string>> {
  readonly all: readonly string[]
}

/** Under other elements or with another secret it may go better: what was refused under these has another name then. */
export function coolDownNames(
  { connection, request }: TokenRequestContext,
  fingerprint: string,
  secretsVersion = '',
): CoolDownNames {
  const { name, authorizationServer } = connection
  const names = {
    endpoint: `endpoint ${authorizationServer.tokenEndpoint}`,
    client: `client ${name} ${fingerprint} ${secretsVersion}`,
    user: `user ${JSON.stringify([name, request.username ?? null, fingerprint])}`,
    token: `token ${tokenKey(request)} ${fingerprint}`,
  }
  return { ...names, all: Object.values(names) }
}

/** Which failure keeps what from being asked for, and for how long. */
export type CoolDownPolicy = ReturnType<typeof createCoolDownPolicy>

export function createCoolDownPolicy({
  coolDowns,
  now,
  log,
}: {
  readonly coolDowns: CoolDownRegistry
  readonly now: () => number
  readonly log: Log
}) {
  const refusedUsers = createRefusedUsers(now)

  async function begin(
    kind: CoolDownKind,
    error: TokenEndpointError,
    { name: connection, authorizationServer }: Connection,
    names: CoolDownNames,
  ): Promise<CoolingDownError> {
    log({ event: 'cool_down_begun', connection, of: kind, code: error.code })
    const { coolDownSeconds: baseSeconds } = authorizationServer
    const asked = error instanceof UnreachableError ? error.retryAfterSeconds : undefined
    const duration = { baseSeconds, ...(asked !== undefined && { retryAfterSeconds: asked }) }
    const retryAfterSeconds = await coolDowns.begin(names[kind], writeFailure(error), duration)
    return CoolingDownError.after(error, retryAfterSeconds, kind)
  }

  /** Begins the cool-down that this failure asks for; returns what callers are told. */
  async function coolDownAfter(
    error: unknown,
    connection: Connection,
    names: CoolDownNames,
    isRepeated: boolean,
  ): Promise<unknown> {
    if (error instanceof UnreadableAnswerError) await coolDowns.end([names.endpoint])
    // A caller in a hurry says nothing about the server.
    if (error instanceof TimedOutError)
      return error.isServers ? await begin('endpoint', error, connection, names) : error
    if (error instanceof UnreachableError) {
      // Where the server says when to come back nobody asks before; else only whoever gives up tells the others.
      const isFinal = error.retryAfterSeconds !== undefined || !isRepeated
      return isFinal ? await begin('endpoint', error, connection, names) : error
    }
    if (!(error instanceof RefusedError)) return error
    await coolDowns.end([names.endpoint])
    if (error.error === 'invalid_grant' && refusedUsers.noteRefusal(names.user))
      return await begin('user', error, connection, names)
    return await begin(error.fault === 'client' ? 'client' : 'token', error, connection, names)
  }

  return {
    /** @throws {CoolingDownError} with the failure that began it, where any of these is cooling down */
    async demandEnd({ all }: CoolDownNames): Promise<void> {
      const check = await coolDowns.check(all)
      // A failure that another version has written says nothing.
      const failure = check.kind === 'cooling_down' ? readFailure(check.failure) : undefined
      if (check.kind === 'cooling_down' && failure) throw CoolingDownError.after(failure, check.retryAfterSeconds)
    },

    async noteSuccess({ all }: CoolDownNames): Promise<void> {
      await coolDowns.end(all)
    },

    /**
     * @param isRepeated whether the request is made once more, in a moment
     * @returns what callers are told instead of the error
     */
    async noteFailure(
      error: unknown,
      connection: Connection,
      names: CoolDownNames,
      isRepeated: boolean,
    ): Promise<unknown> {
      const reported = await coolDownAfter(error, connection, names, isRepeated)
      await coolDowns.release(names.all)
      return reported
    },
  }
}

const refusalWindowMilliseconds = 60_000
const severalRefusals = 3
/** The least recently refused are forgotten first. */
const maximumUsers = 10_000

/** Counts refused passwords: each has a token key of its own, so that without this a guesser would meet no cool-down. */
export function createRefusedUsers(now: () => number) {
  const refusals = new LRUCache<string, readonly number[]>({ max: maximumUsers })
  return {
    /** @returns whether, with this one, the user was refused several times within a minute */
    noteRefusal(user: string): boolean {
      const earlier = (refusals.peek(user) ?? []).filter((at) => now() - at < refusalWindowMilliseconds)
      const recent = [...earlier, now()]
      refusals.set(user, recent.slice(-severalRefusals))
      return recent.length >= severalRefusals
    },
  }
}
