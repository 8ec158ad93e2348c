import type { Connection } from '../configuration/connection.ts'
import type { Log } from '../log/log-event.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import { SecretError } from '../secret/secret-error.ts'
import { RefusedError } from '../token-endpoint/token-endpoint-error.ts'
import type { ClockOffsets } from './clock-offsets.ts'
import type { ObtainToken } from './obtain-token.ts'

export interface SecondAttemptParts {
  readonly clockOffsets: ClockOffsets
  readonly secrets: SecretCache
  readonly log: Log
}

/**
 * The same, and once more where a client was refused for a reason that is gone by then: the first that holds of our clock
 * being off, by the `Date` of the server's answer, and the secret having a newer version.
 */
export function withSecondAttempt(obtainToken: ObtainToken, parts: SecondAttemptParts): ObtainToken {
  const { clockOffsets, secrets, log } = parts

  return async (errand) => {
    try {
      return await obtainToken(errand)
    } catch (error) {
      if (!(error instanceof RefusedError) || error.error !== 'invalid_client') throw error
      if (!isClockOff(errand.connection, error) && !(await hasNewerSecret(errand.connection))) throw error
      return obtainToken(errand)
    }
  }

  function isClockOff({ authorizationServer: { id } }: Connection, { clockOffsetMilliseconds }: RefusedError): boolean {
    if (clockOffsetMilliseconds === undefined) return false
    clockOffsets.learn(id, clockOffsetMilliseconds)
    log({ event: 'clock_offset_learned', authorizationServer: id, milliseconds: clockOffsetMilliseconds })
    return true
  }

  async function hasNewerSecret({ name, clientAuthentication }: Connection): Promise<boolean> {
    const secret =
      clientAuthentication.method === 'client_secret_basic'
        ? clientAuthentication.passwordSecret
        : clientAuthentication.assertion.key.location
    try {
      if (!(await secrets.refresh(secret))) return false
    } catch (error) {
      // The server's refusal says more than that the store can't be reached.
      if (error instanceof SecretError) return false
      throw error
    }
    log({ event: 'newer_secret_found', connection: name })
    return true
  }
}
