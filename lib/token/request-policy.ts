import type { Connection } from '../configuration/connection.ts'
import type { Log } from '../log/log-event.ts'
import { retryDelay } from '../token-endpoint/retry-policy.ts'
import {
  RefusedError,
  TimedOutError,
  UnreachableError,
  UnreadableAnswerError,
} from '../token-endpoint/token-endpoint-error.ts'
import type { CoolDowns } from './cool-downs.ts'
import { type CoolDownKind, CoolingDownError } from './cooling-down-error.ts'
import type { Errand, ObtainToken } from './obtain-token.ts'
import { createRefusedUsers } from './refused-users.ts'
import { tokenKey } from './token-key.ts'

export interface RequestPolicyParts {
  readonly coolDowns: CoolDowns
  readonly now: () => number
  /** From 0 up to 1. */
  readonly random: () => number
  readonly pause: (milliseconds: number) => Promise<unknown>
  readonly log: Log
}

/**
 * The same, asked again where that helps and left alone where it doesn't: passing failures are repeated within the
 * deadline, each time with a new assertion; after a refusal or an outage nobody asks until the cool-down ends.
 */
export function withRequestPolicy(obtainToken: ObtainToken, parts: RequestPolicyParts): ObtainToken {
  const { coolDowns, now, random, pause, log } = parts
  const isOftenRefused = createRefusedUsers(now)

  return async (errand) => {
    const { connection, deadline } = errand
    const names = coolDownNames(errand)
    for (let attempt = 1; ; attempt++) {
      await coolDowns.demand(names.all)
      try {
        const token = await obtainToken(errand)
        await coolDowns.end(names.all)
        return token
      } catch (error) {
        const delay = retryDelay(error, attempt, deadline - now(), random())
        const told = await coolDown(error, connection, names, delay !== undefined)
        await coolDowns.release(names.all)
        if (delay === undefined) throw told
        log({ event: 'token_request_repeated', connection: connection.name, attempt, milliseconds: delay })
        await pause(delay)
      }
    }
  }

  /** Begins what cool-down this failure asks for; returns what callers are told. */
  async function coolDown(
    error: unknown,
    connection: Connection,
    names: CoolDownNames,
    isRepeated: boolean,
  ): Promise<unknown> {
    if (error instanceof UnreadableAnswerError) await coolDowns.end([names.endpoint])
    if (!(error instanceof RefusedError || error instanceof UnreachableError || error instanceof TimedOutError))
      return error

    const { coolDownSeconds: baseSeconds } = connection.authorizationServer
    const begin = async (of: CoolDownKind, retryAfterSeconds?: number) => {
      log({ event: 'cool_down_begun', connection: connection.name, of, code: error.code })
      const duration = { baseSeconds, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) }
      const told = await coolDowns.begin(names[of], error, duration)
      return CoolingDownError.after(error, told.retryAfterSeconds, of)
    }

    // A caller in a hurry says nothing about the server.
    if (error instanceof TimedOutError) return error.isServers ? begin('endpoint') : error
    if (error instanceof UnreachableError) {
      // Where the server says when to come back nobody asks before; else only who gives up tells the others.
      const isTold = error.retryAfterSeconds !== undefined || !isRepeated
      return isTold ? begin('endpoint', error.retryAfterSeconds) : error
    }
    await coolDowns.end([names.endpoint])
    if (error.error === 'invalid_grant' && isOftenRefused(names.user)) return begin('user')
    return begin(error.fault === 'client' ? 'client' : 'token')
  }
}

interface CoolDownNames extends Readonly<Record<CoolDownKind, string>> {
  readonly all: readonly string[]
}

/** Under other elements or with another key it may go better: what was refused under these is another's name then. */
function coolDownNames({ connection, fingerprint, secretsMark = '', request }: Errand): CoolDownNames {
  const { name, authorizationServer } = connection
  const names = {
    endpoint: `endpoint ${authorizationServer.tokenEndpoint}`,
    client: `client ${name} ${fingerprint} ${secretsMark}`,
    user: `user ${JSON.stringify([name, request.username ?? null, fingerprint])}`,
    token: `token ${tokenKey(request)} ${fingerprint}`,
  }
  return { ...names, all: Object.values(names) }
}
