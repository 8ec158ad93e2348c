import type { Connection } from '../configuration/connection.ts'
import type { Log } from '../log/log-event.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import { SecretError } from '../secret/secret-store.ts'
import { KeyStoreError } from '../signing/signing-key.ts'
import type { ClientKey, ClientKeySource } from '../token-endpoint/client-authentication.ts'
import type { ClockOffsets } from '../token-endpoint/clock-offset.ts'
import { RefusedError } from '../token-endpoint/token-endpoint-error.ts'
import { secretOfClient } from './cool-down-names.ts'

/** What to do after a server has refused a client. */
export type SecondAttempt =
  | { readonly kind: 'none' }
  /** The reason is gone by now: the same once more. */
  | { readonly kind: 'repeat' }
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
  /** By connection, until those who wait for it have seen it. */
  const helpful = new Map<string, HelpfulAttempt>()

  function isClockOff({ authorizationServer: { id } }: Connection, { clockOffsetMilliseconds }: RefusedError): boolean {
    if (clockOffsetMilliseconds === undefined) return false
    clockOffsets.learn(id, clockOffsetMilliseconds)
    log({ event: 'clock_offset_learned', authorizationServer: id, milliseconds: clockOffsetMilliseconds })
    return true
  }

  async function hasNewerSecret(connection: Connection): Promise<boolean> {
    const secret = secretOfClient(connection)
    const isNewer = secret !== undefined && (await unlessUnusable(() => secrets.refresh(secret)))
    if (isNewer) log({ event: 'newer_secret_found', connection: connection.name })
    return isNewer ?? false
  }

  return {
    /**
     * The first that holds: our clock is off, by the `Date` of the server's answer; the secret has a newer version; there is a key
     * that was current before, which a server that hasn't heard of the new one still takes.
     */
    async choose(connection: Connection, refusal: RefusedError): Promise<SecondAttempt> {
      if (isClockOff(connection, refusal) || (await hasNewerSecret(connection))) return { kind: 'repeat' }
      const key = await unlessUnusable(() => clientKeys.previous(connection))
      if (!key) return { kind: 'none' }
      log({ event: 'previous_key_tried', connection: connection.name })
      return { kind: 'by_previous_key', key }
    },

    /** What brought a token after a refusal helps whoever was refused meanwhile. */
    noteHelpful({ name }: Connection, attempt: HelpfulAttempt): void {
      helpful.set(name, attempt)
    },

    /** What has helped since the last look. */
    takeHelpful({ name }: Connection): HelpfulAttempt | undefined {
      const attempt = helpful.get(name)
      helpful.delete(name)
      return attempt
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
