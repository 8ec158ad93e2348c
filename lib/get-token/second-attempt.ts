import type { Token } from '../access-token/token.ts'
import type { Connection } from '../configuration/connection.ts'
import type { Log } from '../log/log-event.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import { SecretError } from '../secret/secret-store.ts'
import { KeyStoreError } from '../signing/signing-key.ts'
import type { ClockOffsets } from '../token-endpoint/assertion.ts'
import type { ClientKey, ClientKeys } from '../token-endpoint/client-authentication.ts'
import type { Errand, ObtainToken } from '../token-endpoint/request-token.ts'
import { RefusedError } from '../token-endpoint/token-endpoint-error.ts'

export interface SecondAttemptParts {
  readonly clientKeys: ClientKeys
  readonly clockOffsets: ClockOffsets
  readonly secrets: SecretCache
  readonly log: Log
}

/**
 * The same, and once more where a client was refused for a reason that is gone by then: the first that holds of our clock
 * being off, by the `Date` of the server's answer, and the secret having a newer version; else, where there is one, by the
 * key that was current before, which a server that hasn't heard of the new one still takes.
 */
export function withSecondAttempt(obtainToken: ObtainToken, parts: SecondAttemptParts): ObtainToken {
  const { clientKeys, clockOffsets, secrets, log } = parts

  return async (errand) => {
    try {
      return await obtainToken(errand)
    } catch (error) {
      if (!isClientRefused(error)) throw error
      const { connection } = errand
      if (isClockOff(connection, error) || (await hasNewerSecret(connection))) return obtainToken(errand)
      const previousKey = await findPreviousKey(connection)
      if (!previousKey) throw error
      return obtainByPreviousKey({ ...errand, previousKey }, error)
    }
  }

  async function obtainByPreviousKey(errand: Errand, refusal: RefusedError): Promise<Token> {
    log({ event: 'previous_key_tried', connection: errand.connection.name })
    try {
      return await obtainToken(errand)
    } catch (error) {
      // What the server says of the key that is meant to be used tells more.
      throw isClientRefused(error) ? refusal : error
    }
  }

  function isClockOff({ authorizationServer: { id } }: Connection, { clockOffsetMilliseconds }: RefusedError): boolean {
    if (clockOffsetMilliseconds === undefined) return false
    clockOffsets.learn(id, clockOffsetMilliseconds)
    log({ event: 'clock_offset_learned', authorizationServer: id, milliseconds: clockOffsetMilliseconds })
    return true
  }

  async function hasNewerSecret(connection: Connection): Promise<boolean> {
    const secret = clientSecretOf(connection)
    const isNewer = secret !== undefined && (await unlessUnusable(() => secrets.refresh(secret)))
    if (isNewer) log({ event: 'newer_secret_found', connection: connection.name })
    return isNewer ?? false
  }

  function findPreviousKey(connection: Connection): Promise<ClientKey | undefined> {
    return unlessUnusable(() => clientKeys.previous(connection))
  }
}

/** The name of the secret by which the client authenticates. */
function clientSecretOf({ clientAuthentication: way, authorizationServer }: Connection): string | undefined {
  switch (way.method) {
    case 'client_secret_basic':
      return way.passwordSecret
    case 'tls_client_auth':
      return authorizationServer.tls.clientCertificate
    case 'private_key_jwt':
    case 'client_secret_jwt':
      return way.assertion.key.location
  }
}

function isClientRefused(error: unknown): error is RefusedError {
  return error instanceof RefusedError && error.error === 'invalid_client'
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
