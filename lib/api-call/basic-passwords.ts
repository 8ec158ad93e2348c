import type { BasicAuthentication, ProtectedApi } from '../configuration/api.ts'
import type { Secret } from '../secret/secret.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import { SecretError } from '../secret/secret-store.ts'
import { readBasicPassword } from '../signing/secret-use.ts'
import { KeyStoreError } from '../signing/signing-key.ts'

/** Which version of its secret a password is. */
type PasswordVersion = 'current' | 'previous'

/** A password that a call has sent, or will send. */
export interface TriedPassword {
  readonly version: PasswordVersion
  readonly password: Secret
}

/** How long calls begin with the version before, once an API has accepted that one only. */
const acceptedMilliseconds = 60_000
/** An API may lock a user after some wrong passwords. So a password that it has refused is not tried as the other one for this time. */
const refusedMilliseconds = 60_000

interface RefusedPassword {
  readonly password: Secret
  readonly until: number
}

/** The passwords of basic authentication to APIs. An API may learn of a new one before or after Tokenwell does. */
export type BasicPasswords = ReturnType<typeof createBasicPasswords>

export function createBasicPasswords({ secrets, now }: { readonly secrets: SecretCache; readonly now: () => number }) {
  /** Until when calls of a connection begin with the version before. */
  const beginsWithPrevious = new Map<string, number>()
  /** The other version that the API of a connection has refused. */
  const refused = new Map<string, RefusedPassword>()

  /**
   * The password that a call sends first.
   * @throws {SecretError}
   * @throws {KeyStoreError}
   */
  async function first(connection: string, api: ProtectedApi): Promise<TriedPassword | undefined> {
    const { basicAuthentication: basic } = api
    if (!basic) return undefined
    const isPrevious = now() < (beginsWithPrevious.get(connection) ?? -Infinity)
    const previous = isPrevious ? await previousOf(basic, api) : undefined
    return previous ?? (await currentOf(basic, api))
  }

  /**
   * The other version of the password, after the API has answered 401. Undefined where it is the same, or where the API has refused it a
   * short time ago.
   */
  async function other(
    connection: string,
    api: ProtectedApi,
    { version }: TriedPassword,
  ): Promise<TriedPassword | undefined> {
    const { basicAuthentication: basic } = api
    if (!basic) return undefined
    const found =
      version === 'current' ? await previousOf(basic, api) : await currentOf(basic, api).catch(unlessUnusable)
    const before = refused.get(connection)
    return found && before && now() < before.until && before.password.equals(found.password) ? undefined : found
  }

  /** The API has accepted or refused the other version. */
  function noteOther(connection: string, { version, password }: TriedPassword, isAccepted: boolean): void {
    if (!isAccepted) refused.set(connection, { password, until: now() + refusedMilliseconds })
    else if (version === 'previous') beginsWithPrevious.set(connection, now() + acceptedMilliseconds)
    else beginsWithPrevious.delete(connection)
  }

  /** The secret has a newer version: calls begin with that one. */
  function noteNewer(connection: string): void {
    beginsWithPrevious.delete(connection)
  }

  async function currentOf(basic: BasicAuthentication, api: ProtectedApi): Promise<TriedPassword> {
    const { passwordSecret: name } = basic
    return { version: 'current', password: readBasicPassword(name, await secrets.get(name), useOf(basic, api)) }
  }

  /** Undefined where the password has not changed, or where the version before can't be used. */
  async function previousOf(basic: BasicAuthentication, api: ProtectedApi): Promise<TriedPassword | undefined> {
    const { passwordSecret: name } = basic
    try {
      const before = await secrets.getPrevious(name)
      const password = before && readBasicPassword(name, before, useOf(basic, api))
      const isSame = password?.equals((await currentOf(basic, api)).password)
      return password && !isSame ? { version: 'previous', password } : undefined
    } catch (error) {
      return unlessUnusable(error)
    }
  }

  return { first, other, noteOther, noteNewer }
}

/** The API gets the password. */
function useOf({ id }: BasicAuthentication, { origin }: ProtectedApi) {
  return { element: `authData/${id}`, host: new URL(origin).hostname }
}

/** The 401 of the API tells the caller more than a secret that can't be used. */
function unlessUnusable(error: unknown): undefined {
  if (!(error instanceof SecretError || error instanceof KeyStoreError)) throw error
}
