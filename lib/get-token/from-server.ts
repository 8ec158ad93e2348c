import { tokenKey } from '../access-token/token.ts'
import type { Connection } from '../configuration/connection.ts'
import type { CoolDowns } from '../fleet/cool-downs.ts'
import type { SecretsMark } from '../fleet/secrets-version.ts'
import type { Log } from '../log/log-event.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import type { Errand, ObtainToken } from '../token-endpoint/request-token.ts'
import {
  RefusedError,
  TimedOutError,
  UnreachableError,
  UnreadableAnswerError,
} from '../token-endpoint/token-endpoint-error.ts'
import { type CoolDownKind, CoolingDownError } from './token-error.ts'

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

export interface SecretsInStepParts {
  readonly mark: SecretsMark
  readonly secrets: SecretCache
}

/** The same, with the secrets as they are since the fleet was last told that one has changed. Tokens in hand stay good. */
export function withSecretsInStep(obtainToken: ObtainToken, { mark, secrets }: SecretsInStepParts): ObtainToken {
  let known: string | undefined
  let mayHoldOlder = false

  return async (errand) => {
    const current = await mark.read()
    if (current !== undefined && current !== known) {
      if (mayHoldOlder) secrets.readAllAgain()
      known = current
    }
    mayHoldOlder = true
    return obtainToken({ ...errand, ...(known !== undefined && { secretsMark: known }) })
  }
}

const windowMilliseconds = 60_000
const severalRefusals = 3
/** The least recently refused are forgotten first. */
const maximumUsers = 10_000

/**
 * Counts refused passwords: each has a token key of its own, so that without this a guesser would meet no cool-down.
 * @returns whether, with this one, the user was refused several times within a minute
 */
export function createRefusedUsers(now: () => number): (user: string) => boolean {
  const refusals = new Map<string, readonly number[]>()
  return (user) => {
    const recent = [...(refusals.get(user) ?? []).filter((at) => now() - at < windowMilliseconds), now()]
    refusals.delete(user)
    refusals.set(user, recent.slice(-severalRefusals))
    const [oldest] = refusals.keys()
    if (refusals.size > maximumUsers && oldest !== undefined) refusals.delete(oldest)
    return recent.length >= severalRefusals
  }
}

const maximumRetries = 2
const firstBackoffMilliseconds = 200
/** A repetition that can't have an answer by then is not begun. */
const leastTimeForAnswerMilliseconds = 2_000

/**
 * How long to wait before the next attempt; undefined where there is none: what was refused stays refused, and what may
 * have been answered isn't asked again. Full jitter, so that a fleet doesn't come back all at once.
 * @param attempt how many there were
 * @param leftMilliseconds until the caller's deadline
 * @param random from 0 up to 1
 */
export function retryDelay(
  error: unknown,
  attempt: number,
  leftMilliseconds: number,
  random: number,
): number | undefined {
  if (!(error instanceof UnreachableError) || error.isLasting || attempt > maximumRetries) return undefined
  const jitter = random * firstBackoffMilliseconds * 2 ** (attempt - 1)
  const delay = (error.retryAfterSeconds ?? 0) * 1000 + jitter
  return delay + leastTimeForAnswerMilliseconds <= leftMilliseconds ? delay : undefined
}
