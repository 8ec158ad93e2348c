import { type CallerRequest, isOwnRequest, type Token } from '../access-token/token.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import type { Connection } from '../configuration/connection.ts'
import { type Lease, LeaseLostError } from '../fleet/lease.ts'
import type { ClientKey } from '../token-endpoint/client-authentication.ts'
import type { TokenClient, TokenRequestContext } from '../token-endpoint/token-client.ts'
import { hasTimeFor, timeoutsUntil } from '../token-endpoint/token-endpoint.ts'
import { type HelpfulAttempt, mayHelp, type SecondAttemptPolicy } from './second-attempt.ts'

/** A token request that holds the lease of its token. */
export interface LeasedContext extends TokenRequestContext {
  readonly request: CallerRequest
  /** Of the connection's elements. */
  readonly fingerprint: string
  readonly lease: Lease
  /** When something of the connection was last changed or cleared: what cooled down before says nothing of it. */
  readonly mendedAt: number | undefined
  /** Whether a passing failure is not repeated. */
  readonly isOnce?: boolean | undefined
  /** The last one that was obtained, good or not. */
  readonly previous?: Token | undefined
}

interface AttemptsDependencies {
  readonly tokenClient: TokenClient
  readonly secondAttempts: SecondAttemptPolicy
  readonly now: () => number
}

/** Token requests, each with credentials of its own. */
export type Attempts = ReturnType<typeof createAttempts>

export function createAttempts({ tokenClient, secondAttempts, now }: AttemptsDependencies) {
  /** What brought a token after a refusal, by connection: it helps whoever was refused meanwhile. */
  const helpful = new Map<string, HelpfulAttempt>()

  async function attemptOnce(context: LeasedContext, key?: ClientKey): Promise<Token> {
    const { connection, deadline, lease } = context
    const credentials = await tokenClient.authenticate(connection, key)
    await lease.keepFor(timeoutsUntil(deadline, now(), connection.authorizationServer).totalMilliseconds)
    return await tokenClient.requestToken(context, credentials)
  }

  return {
    /**
     * One, and another one where the client was refused for a reason that is gone by then.
     * @throws {TokenEndpointError}
     * @throws {LeaseLostError}
     */
    async make(context: LeasedContext): Promise<Token> {
      const { connection, request } = context
      try {
        return await attemptOnce(context)
      } catch (error) {
        if (!mayHelp(error, isOwnRequest(request))) throw error
        const second = await secondAttempts.choose(connection, error)
        if (second.kind === 'none') throw error
        try {
          const token = await attemptOnce(context, keyOf(second))
          helpful.set(connection.name, second)
          return token
        } catch (secondError) {
          secondAttempts.noteUseless(connection, second)
          // What the server says of the key, and the time, that are meant to be used tells more.
          const isAlike = second.kind !== 'repeat' && mayHelp(secondError, isOwnRequest(request))
          throw isAlike ? error : secondError
        }
      }
    },

    /** What has helped the connection since the last look. */
    takeHelpful({ name }: Connection): HelpfulAttempt | undefined {
      const attempt = helpful.get(name)
      helpful.delete(name)
      return attempt
    },

    /**
     * One more for a request that was refused for a reason of the client's: what the caller added was not looked at. Undefined where
     * it brings no token.
     * @throws {LeaseLostError}
     */
    async repeatBy(attempt: HelpfulAttempt, context: LeasedContext): Promise<Token | undefined> {
      if (!hasTimeFor(context.connection.authorizationServer, context.deadline - now())) return undefined
      try {
        return await attemptOnce(context, keyOf(attempt))
      } catch (error) {
        if (error instanceof TokenwellError && !(error instanceof LeaseLostError)) return undefined
        throw error
      }
    },
  }
}

/** Undefined for the current one. */
function keyOf(attempt: HelpfulAttempt): ClientKey | undefined {
  return attempt.kind === 'by_previous_key' ? attempt.key : undefined
}
