import type { CallerRequest } from '../access-token/token.ts'
import { allEnded } from '../base/all-ended.ts'
import { describeFailure } from '../base/tokenwell-error.ts'
import type { ApiOfToken, ProtectedApi } from '../configuration/api.ts'
import type { Connection } from '../configuration/connection.ts'
import { keyOf } from '../configuration/element.ts'
import type { TokenProvider } from '../get-token/get-token.ts'
import { CoolingDownError } from '../get-token/token-error.ts'
import type { Log } from '../log/log-event.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import { SecretError } from '../secret/secret-store.ts'
import type { ApiAnswer } from './api-endpoint.ts'
import { type BasicPasswords, createBasicPasswords, type TriedPassword } from './basic-passwords.ts'
import {
  type CarriedToken,
  credentialHeaders,
  rejectedTokens,
  type WantedToken,
  wantedTokens,
} from './carried-token.ts'
import { apiOfToken } from './host-from.ts'
import { mayRejectPassword, unauthorized } from './rejected-token.ts'
import type { CredentialSource } from './send-call.ts'

/** What authenticates one call, in all its attempts. */
export interface CallCredentials extends CredentialSource {
  /** Where the next attempt goes. A token may say that. */
  readonly api: ProtectedApi
  /**
   * Changes what may be the reason of this 401, one reason after the other, and each at most once in a call.
   * @returns what has changed. Undefined where nothing is left to change, and for every other answer
   * @throws {TokenwellError} the reason why no rejected token could be replaced
   */
  changeAfter(answer: ApiAnswer): Promise<CredentialChange | undefined>
}

export type CredentialChange = 'newer_secret' | 'token_rejected' | 'other_password'

/** A call that needs credentials. */
export interface CallNeed {
  readonly connection: Connection
  readonly api: ProtectedApi | ApiOfToken
  readonly request: CallerRequest
  /** When the caller needs an answer, in milliseconds since the epoch. */
  readonly deadline: number
}

interface CredentialsDependencies {
  readonly tokens: TokenProvider
  readonly secrets: SecretCache
  readonly now: () => number
  readonly log: Log
}

/** Obtains the tokens and passwords of API calls. */
export function createCredentialIssuer({ tokens, secrets, now, log }: CredentialsDependencies) {
  const passwords = createBasicPasswords({ secrets, now })
  const carriedTokens = createCarriedTokens({ tokens, log })
  return { issue }

  /**
   * Obtains all tokens of a call at the same time.
   * @throws {TokenwellError} the reason why one of them could not be obtained
   */
  async function issue(need: CallNeed): Promise<CallCredentials> {
    const { connection, api, request, deadline } = need
    const wanted = wantedTokens(connection, request)
    const carried = await allEnded(wanted.map((each) => carriedTokens.get(each, deadline)))
    // For some seconds after `hostFrom` was set, memory may have a main token of the earlier elements.
    const [main, ...others] = carried
    const isEarlier = main && 'hostFrom' in api && !main.token.passedOn
    const current = isEarlier ? [await carriedTokens.replace(main, deadline), ...others] : carried
    const password = 'hostFrom' in api ? undefined : await passwords.first(connection.name, api)
    return createCallCredentials(need, { carriedTokens, passwords, secrets, now }, { carried: current, password })
  }
}

/** The tokens and the password of the next attempt. */
interface HeldCredentials {
  readonly carried: readonly CarriedToken[]
  readonly password: TriedPassword | undefined
}

function createCallCredentials(
  { connection, api: configured, deadline }: CallNeed,
  dependencies: Pick<CredentialsDependencies, 'secrets' | 'now'> & {
    readonly carriedTokens: CarriedTokens
    readonly passwords: BasicPasswords
  },
  first: HeldCredentials,
): CallCredentials {
  const { carriedTokens, passwords, secrets, now } = dependencies
  const left = [newerSecret, otherTokens, otherPassword]
  let { carried, password } = first
  const tried = password ? [password.password] : []
  let isSent = false
  let isOtherPassword = false

  return {
    get api() {
      return placed(configured, carried)
    },

    async next() {
      if (isSent) carried = await allEnded(carried.map((each) => carriedTokens.unsent(each, deadline)))
      isSent = true
      const { basicAuthentication: basic } = configured
      return credentialHeaders(carried, basic && password && { ...basic, password: password.password })
    },

    async changeAfter(answer) {
      const isUnauthorized = answer.status === unauthorized
      if (isOtherPassword && password) passwords.noteOther(connection.name, password, !isUnauthorized)
      while (isUnauthorized && left.length > 0) {
        const change = await left.shift()?.(answer)
        if (change) return change
      }
      return undefined
    },
  }

  /** A token may be bound to a newer client certificate than the one that this process has read (RFC 8705 section 3). */
  async function newerSecret(): Promise<CredentialChange | undefined> {
    const names = [configured.tls.clientCertificate, configured.basicAuthentication?.passwordSecret]
    const used = names.filter((name) => name !== undefined)
    const refreshed = used.map(async (name) => await secrets.refresh(name).catch(unlessSecretError))
    const isRefreshed = (await Promise.all(refreshed)).includes(true)
    if (isRefreshed) passwords.noteNewer(connection.name)
    const latest = password && (await passwords.first(connection.name, placed(configured, carried)))
    // Another call may have read the secret again meanwhile.
    if (!isRefreshed && (!latest || isTried(latest))) return undefined
    hold(latest)
    return 'newer_secret'
  }

  function hold(latest: TriedPassword | undefined): void {
    password = latest
    if (latest) tried.push(latest.password)
  }

  function isTried(other: TriedPassword): boolean {
    return tried.some((each) => each.equals(other.password))
  }

  async function otherTokens(answer: ApiAnswer): Promise<CredentialChange | undefined> {
    const replaced = await carriedTokens.replaceAll(carried, rejectedTokens(answer, carried, now()), deadline)
    const isAnyOther = replaced.some((each, position) => each !== carried[position])
    carried = replaced
    return isAnyOther ? 'token_rejected' : undefined
  }

  /** The last one, because a wrong password may lock the user. */
  async function otherPassword(answer: ApiAnswer): Promise<CredentialChange | undefined> {
    if (!password || !mayRejectPassword(answer)) return undefined
    const other = await passwords.other(connection.name, placed(configured, carried), password)
    if (!other || isTried(other)) return undefined
    hold(other)
    isOtherPassword = true
    return 'other_password'
  }
}

/** Where the call goes. The main token names the host where the elements do not. */
function placed(api: ProtectedApi | ApiOfToken, [main]: readonly CarriedToken[]): ProtectedApi {
  if (!('hostFrom' in api)) return api
  if (main) return apiOfToken(api, main.token)
  throw new TypeError('An API whose host a token names has a token.')
}

/** The answer of the API tells more than a secret that can't be read. */
function unlessSecretError(error: unknown): boolean {
  if (error instanceof SecretError) return false
  throw error
}

type CarriedTokens = ReturnType<typeof createCarriedTokens>

function createCarriedTokens({ tokens, log }: Pick<CredentialsDependencies, 'tokens' | 'log'>) {
  /** @throws {TokenwellError} */
  async function get(wanted: WantedToken, deadline: number): Promise<CarriedToken> {
    const { request, element } = wanted
    try {
      const { token } = await tokens.get(request, deadline)
      return { ...wanted, token }
    } catch (error) {
      if (!(error instanceof CoolingDownError && !error.failure)) noteMissing(request.connection, keyOf(element), error)
      throw error
    }
  }

  function noteMissing(connection: string, element: string, error: unknown): void {
    log({ event: 'api_call_without_token', connection, element, ...describeFailure(error) })
  }

  /** The same token where it has just replaced another one, and stays. */
  async function replace(carried: CarriedToken, deadline: number): Promise<CarriedToken> {
    const {
      request,
      token: { id },
    } = carried
    try {
      const { token } = await get({ ...carried, request: { ...request, rejectedTokenId: id } }, deadline)
      return token.id === id ? carried : { ...carried, token }
    } catch (error) {
      if (error instanceof CoolingDownError && !error.failure) return carried
      // Not the API's 401: the caller can't do anything about that.
      throw error
    }
  }

  /** Replaces the rejected ones among all. One that can't be replaced fails the call only where no other one was. */
  async function replaceAll(
    all: readonly CarriedToken[],
    rejected: readonly CarriedToken[],
    deadline: number,
  ): Promise<readonly CarriedToken[]> {
    const results = await Promise.allSettled(
      all.map(async (each) => (rejected.includes(each) ? await replace(each, deadline) : each)),
    )
    const replaced = results.map((result, position) => (result.status === 'fulfilled' ? result.value : all[position]))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed && replaced.every((each, position) => each === all[position])) throw failed.reason
    return replaced.filter((each) => each !== undefined)
  }

  /** The token for another attempt: another one where only one request may have it. */
  async function unsent(carried: CarriedToken, deadline: number): Promise<CarriedToken> {
    return carried.token.isForOneRequest ? await get(carried, deadline) : carried
  }

  return { get, replace, replaceAll, unsent }
}
