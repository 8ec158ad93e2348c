import type { Connection } from '../configuration/connection.ts'
import type { Log } from '../log/log-event.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import { SecretError } from '../secret/secret-store.ts'
import { KeyStoreError } from '../signing/signing-key.ts'
import type { ClientKey, ClientKeySource } from '../token-endpoint/client-authentication.ts'
import { type ClockOffsets, longestOffsetMilliseconds } from '../token-endpoint/clock-offset.ts'
import { RefusedError } from '../token-endpoint/token-endpoint-error.ts'
import { secretOfClient } from './cool-down-names.ts'

/** What to do after a server has refused a client. */
export type SecondAttempt =
  | { readonly kind: 'none' }
  /** The reason is gone by now: the same once more. */
  | { readonly kind: 'repeat' }
  /** The same by another time, which is a guess. */
  | { readonly kind: 'by_guessed_clock'; readonly offsetBefore: number }
  | { readonly kind: 'by_previous_key'; readonly key: ClientKey }

/** One that was made and brought a token. */
export type HelpfulAttempt = Exclude<SecondAttempt, { readonly kind: 'none' }>

export interface SecondAttemptPolicyDependencies {
  readonly clientKeys: ClientKeySource
  readonly clockOffsets: ClockOffsets
  readonly secrets: SecretCache
  readonly log: Log
}

/** Finds the reason why a client was refused. */
export type SecondAttemptPolicy = ReturnType<typeof createSecondAttemptPolicy>

export function createSecondAttemptPolicy({ clientKeys, clockOffsets, secrets, log }: SecondAttemptPolicyDependencies) {
  function byClock({ authorizationServer: { id } }: Connection, { clockOffset }: RefusedError): SecondAttempt {
    if (!clockOffset) return { kind: 'none' }
    const offsetBefore = clockOffsets.of(id)
    const milliseconds = clockOffset.isGuess ? offsetBefore + clockOffset.milliseconds : clockOffset.milliseconds
    if (Math.abs(milliseconds) > longestOffsetMilliseconds) return { kind: 'none' }
    clockOffsets.learn(id, milliseconds)
    log({ event: 'clock_offset_learned', authorizationServer: id, milliseconds })
    return clockOffset.isGuess ? { kind: 'by_guessed_clock', offsetBefore } : { kind: 'repeat' }
  }

  async function hasNewerSecret(connection: Connection): Promise<boolean> {
    const secret = secretOfClient(connection)
    const isNewer = secret !== undefined && (await unlessUnusable(() => secrets.refresh(secret)))
    if (isNewer) log({ event: 'newer_secret_found', connection: connection.name })
    return isNewer ?? false
  }

  return {
    /**
     * The first that holds: our clock is off, by the `Date` of the server's answer; the secret has a newer version; our clock is off,
     * by the server's words; there is a key that was current before, which a server that hasn't heard of the new one still takes.
     */
    async choose(connection: Connection, refusal: RefusedError): Promise<SecondAttempt> {
      const isMeasured = refusal.clockOffset?.isGuess === false
      if (isMeasured) return byClock(connection, refusal)
      if (await hasNewerSecret(connection)) return { kind: 'repeat' }
      const guess = byClock(connection, refusal)
      if (guess.kind !== 'none') return guess
      const key = await unlessUnusable(() => clientKeys.previous(connection))
      if (!key) return { kind: 'none' }
      log({ event: 'previous_key_tried', connection: connection.name })
      return { kind: 'by_previous_key', key }
    },

    /** What was guessed counts no more. */
    noteUseless({ authorizationServer: { id } }: Connection, attempt: HelpfulAttempt): void {
      if (attempt.kind === 'by_guessed_clock') clockOffsets.learn(id, attempt.offsetBefore)
    },
  }
}

/**
 * Whether a second attempt may help. What a caller added may be the reason as well: then the connection's own request is tried
 * first, which has a second attempt of its own.
 */
export function mayHelp(error: unknown, isOwn: boolean): error is RefusedError {
  return error instanceof RefusedError && error.mayBeOfCredentials && (isOwn || !error.mayBeOfRequest)
}

/** Undefined where a secret can't be had or used: the server's refusal says more than that. */
async function unlessUnusable<T>(look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look()
  } catch (error) {
    if (error instanceof SecretError || error instanceof KeyStoreError) return undefined
    throw error
  }
}
