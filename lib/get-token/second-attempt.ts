import type { LocatedConnection, ServedConnection } from '../configuration/connection.ts'
import type { Log } from '../log/log-event.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import { SecretError } from '../secret/secret-store.ts'
import { KeyServiceError } from '../signing/key-service.ts'
import { KeyStoreError } from '../signing/signing-key.ts'
import { WebIdentityError } from '../signing/web-identity.ts'
import { type ClockOffsets, longestOffsetMilliseconds } from '../token-endpoint/clock-offset.ts'
import type { RequestKeySource, RequestKeys } from '../token-endpoint/request-keys.ts'
import { RefusedError } from '../token-endpoint/token-endpoint-error.ts'
import { secretsOfClient } from './cool-down-names.ts'

/** What to do after a server has refused a client. */
export type SecondAttempt =
  | { readonly kind: 'none' }
  /** The reason may be gone: makes the same request again. */
  | { readonly kind: 'repeat' }
  /** Makes the same request again with a guessed clock offset. */
  | { readonly kind: 'by_guessed_clock'; readonly offsetBefore: number }
  | { readonly kind: 'by_previous_key'; readonly keys: RequestKeys }

/** A second attempt that can be made. */
export type HelpfulAttempt = Exclude<SecondAttempt, { readonly kind: 'none' }>

export interface SecondAttemptPolicyDependencies {
  readonly keys: RequestKeySource
  readonly clockOffsets: ClockOffsets
  readonly secrets: SecretCache
  readonly log: Log
}

/** Finds a reason why a client was refused that a second attempt can fix. */
export type SecondAttemptPolicy = ReturnType<typeof createSecondAttemptPolicy>

export function createSecondAttemptPolicy({ keys, clockOffsets, secrets, log }: SecondAttemptPolicyDependencies) {
  function byClock({ authorizationServer: { id } }: ServedConnection, { clockOffset }: RefusedError): SecondAttempt {
    if (!clockOffset) return { kind: 'none' }
    const offsetBefore = clockOffsets.of(id)
    const milliseconds = clockOffset.isGuess ? offsetBefore + clockOffset.milliseconds : clockOffset.milliseconds
    if (Math.abs(milliseconds) > longestOffsetMilliseconds) return { kind: 'none' }
    clockOffsets.learn(id, milliseconds)
    log({ event: 'clock_offset_learned', authorizationServer: id, milliseconds })
    return clockOffset.isGuess ? { kind: 'by_guessed_clock', offsetBefore } : { kind: 'repeat' }
  }

  async function hasNewerSecret(connection: ServedConnection): Promise<boolean> {
    const refreshed = secretsOfClient(connection).map((secret) => unlessUnusable(() => secrets.refresh(secret)))
    const isNewer = (await Promise.all(refreshed)).includes(true)
    if (isNewer) log({ event: 'newer_secret_found', connection: connection.name })
    return isNewer
  }

  return {
    /**
     * Chooses the first reason that applies:
     * 1. By the `Date` of the server's answer, the clocks differ.
     * 2. The secret has a newer version.
     * 3. By the server's words, the clocks differ.
     * 4. There is a previous key, which a server that doesn't know the new one yet still accepts.
     */
    async choose(connection: LocatedConnection, refusal: RefusedError): Promise<SecondAttempt> {
      const isMeasured = refusal.clockOffset?.isGuess === false
      if (isMeasured) return byClock(connection, refusal)
      if (await hasNewerSecret(connection)) return { kind: 'repeat' }
      const guess = byClock(connection, refusal)
      if (guess.kind !== 'none') return guess
      const isOfClient = refusal.error === 'invalid_client'
      const previous = await unlessUnusable(() => keys.previous(connection, isOfClient))
      if (!previous) return { kind: 'none' }
      log({ event: 'previous_key_tried', connection: connection.name })
      return { kind: 'by_previous_key', keys: previous }
    },

    /** Undoes a guessed clock offset that didn't help. */
    noteUseless({ authorizationServer: { id } }: ServedConnection, attempt: HelpfulAttempt): void {
      if (attempt.kind === 'by_guessed_clock') clockOffsets.learn(id, attempt.offsetBefore)
    },
  }
}

/**
 * Whether a second attempt may help. Where the caller parameters may be the reason as well, a control request is made first, and that one
 * may have a second attempt.
 */
export function mayHelp(error: unknown, isOwn: boolean): error is RefusedError {
  return error instanceof RefusedError && error.mayBeOfCredentials && (isOwn || !error.mayBeOfRequest)
}

/** Undefined where a secret can't be read or used, or AWS gives no identity token: the server's refusal tells the operator more than that error. */
async function unlessUnusable<T>(look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look()
  } catch (error) {
    const isOfKey = error instanceof SecretError || error instanceof KeyStoreError || error instanceof KeyServiceError
    if (isOfKey || error instanceof WebIdentityError) return undefined
    throw error
  }
}
