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
import type { ObtainToken } from './obtain-token.ts'
import { createRefusedUsers } from './refused-users.ts'
import { tokenKey } from './token-key.ts'
import type { TokenRequest } from './token-request.ts'

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

  return async (connection, request, parameters, deadline) => {
    const names = coolDownNames(connection, request)
    for (let attempt = 1; ; attempt++) {
      coolDowns.demand(names.all)
      try {
        const token = await obtainToken(connection, request, parameters, deadline)
        coolDowns.end(names.all)
        return token
      } catch (error) {
        coolDowns.release(names.all)
        const delay = retryDelay(error, attempt, deadline - now(), random())
        const told = coolDown(error, connection, names, delay !== undefined)
        if (delay === undefined) throw told
        log({ event: 'token_request_repeated', connection: connection.name, attempt, milliseconds: delay })
        await pause(delay)
      }
    }
  }

  /** Begins what cool-down this failure asks for; returns what callers are told. */
  function coolDown(error: unknown, connection: Connection, names: CoolDownNames, isRepeated: boolean): unknown {
    if (error instanceof UnreadableAnswerError) coolDowns.end([names.endpoint])
    if (!(error instanceof RefusedError || error instanceof UnreachableError || error instanceof TimedOutError))
      return error

    const { coolDownSeconds: baseSeconds } = connection.authorizationServer
    const begin = (of: CoolDownKind, retryAfterSeconds?: number) => {
      log({ event: 'cool_down_begun', connection: connection.name, of, code: error.code })
      return coolDowns.begin(names[of], error, {
        baseSeconds,
        ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
      })
    }

    // A caller in a hurry says nothing about the server.
    if (error instanceof TimedOutError) return error.isServers ? begin('endpoint') : error
    if (error instanceof UnreachableError) {
      // Where the server says when to come back nobody asks before; else only who gives up tells the others.
      const isTold = error.retryAfterSeconds !== undefined || !isRepeated
      return isTold ? begin('endpoint', error.retryAfterSeconds) : error
    }
    coolDowns.end([names.endpoint])
    if (error.error === 'invalid_grant' && isOftenRefused(names.user)) return begin('user')
    return begin(error.fault === 'client' ? 'client' : 'token')
  }
}

type CoolDownKind = 'token' | 'client' | 'user' | 'endpoint'

interface CoolDownNames extends Readonly<Record<CoolDownKind, string>> {
  readonly all: readonly string[]
}

function coolDownNames(connection: Connection, request: TokenRequest): CoolDownNames {
  const { name, authorizationServer } = connection
  const names = {
    endpoint: `endpoint ${authorizationServer.tokenEndpoint}`,
    client: `client ${name}`,
    user: `user ${JSON.stringify([name, request.username ?? null])}`,
    token: `token ${tokenKey(request)}`,
  }
  return { ...names, all: Object.values(names) }
}
