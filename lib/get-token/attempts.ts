import { type CallerRequest, isOwnRequest, type Token } from '../access-token/token.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import { claimsFromRequestOf, isLocated, type ServedConnection } from '../configuration/connection.ts'
import type { TokenEndpoints } from '../discovery/token-endpoints.ts'
import { type Lease, LeaseLostError } from '../fleet/lease.ts'
import { KeyServiceError } from '../signing/key-service.ts'
import { KeyStoreError } from '../signing/signing-key.ts'
import { WebIdentityError } from '../signing/web-identity.ts'
import type { RequestKeys } from '../token-endpoint/request-keys.ts'
import type { LocatedRequest, TokenClient, TokenRequestContext } from '../token-endpoint/token-client.ts'
import { hasTimeFor, timeoutsUntil } from '../token-endpoint/token-endpoint.ts'
import { TokenEndpointError } from '../token-endpoint/token-endpoint-error.ts'
import { type HelpfulAttempt, mayHelp, type SecondAttemptPolicy } from './second-attempt.ts'

/** A token request under the lease of its token. */
export interface LeasedContext extends TokenRequestContext {
  readonly request: CallerRequest
  /** The fingerprint of the connection's elements. */
  readonly fingerprint: string
  readonly lease: Lease
  /** When the connection was last changed or cleared: cool-downs that began before that no longer apply. */
  readonly mendedAt: number | undefined
  /** Whether a passing failure is not retried. */
  readonly isOnce?: boolean | undefined
  /** The last token that was obtained, valid or not. */
  readonly previous?: Token | undefined
}

interface AttemptsDependencies {
  readonly tokenClient: TokenClient
  readonly secondAttempts: SecondAttemptPolicy
  readonly tokenEndpoints: TokenEndpoints
  readonly now: () => number
}

/** A request whose token endpoint is known. */
type LocatedContext = LeasedContext & LocatedRequest

/** Finds the token endpoint, and makes attempts, each with its own credentials. */
export type Attempts = ReturnType<typeof createAttempts>

export function createAttempts({ tokenClient, secondAttempts, tokenEndpoints, now }: AttemptsDependencies) {
  /** The second attempt that brought a token after a refusal, by token. Other refused requests for the token may use it as well. */
  const helpful = new Map<string, HelpfulAttempt>()

  async function locate(context: LeasedContext): Promise<LocatedContext> {
    const { connection, deadline, lease } = context
    if (isLocated(connection)) return { ...context, connection }
    const waitMilliseconds = tokenEndpoints.longestWaitMilliseconds(connection)
    if (waitMilliseconds > 0) {
      const { totalMilliseconds } = timeoutsUntil(deadline, now(), connection.authorizationServer)
      await lease.keepFor(Math.min(waitMilliseconds + totalMilliseconds, deadline - now()))
    }
    return { ...context, connection: await tokenEndpoints.locate(connection, deadline) }
  }

  /** Makes an attempt, and a second one where the server refused the client for a reason that may be gone. */
  async function attempt(context: LocatedContext): Promise<Token> {
    const { connection, request } = context
    try {
      return await attemptOnce(context)
    } catch (error) {
      // Without an own request, no control request can show whether the client's key or clock is the reason.
      const isOwn = isOwnRequest(request) || Object.keys(claimsFromRequestOf(connection.grant)).length > 0
      if (!mayHelp(error, isOwn)) throw error
      const second = await secondAttempts.choose(connection, error)
      if (second.kind === 'none') throw error
      try {
        const token = await attemptOnce(context, keysOf(second))
        helpful.set(nameOf(connection), second)
        return token
      } catch (secondError) {
        secondAttempts.noteUseless(connection, second)
        // The refusal of the current key and the unadjusted clock tells the operator more.
        const isUseless = mayHelp(secondError, isOwn) || isUnsigned(secondError)
        throw second.kind !== 'repeat' && isUseless ? error : secondError
      }
    }
  }

  async function attemptOnce(context: LocatedContext, keys?: RequestKeys): Promise<Token> {
    const { connection, deadline, lease } = context
    const keysInHand = await tokenClient.readKeys(connection, keys)
    await lease.keepFor(timeoutsUntil(deadline, now(), connection.authorizationServer).totalMilliseconds)
    return await tokenClient.requestToken(context, keysInHand)
  }

  return {
    /**
     * Finds the token endpoint, and makes one attempt there, or two.
     * @throws {TokenEndpointError}
     * @throws {LeaseLostError}
     */
    async make(context: LeasedContext): Promise<Token> {
      const located = await locate(context)
      try {
        return await attempt(located)
      } catch (error) {
        if (mayHaveMoved(error)) tokenEndpoints.doubt(context.connection)
        throw error
      }
    },

    /** Takes the second attempt that has helped this token of the connection since the last call. */
    takeHelpful(connection: ServedConnection): HelpfulAttempt | undefined {
      const attempt = helpful.get(nameOf(connection))
      helpful.delete(nameOf(connection))
      return attempt
    },

    /**
     * Makes one more attempt for a request whose client was refused: the server has not checked its caller parameters yet. Undefined where
     * the attempt brings no token.
     * @throws {LeaseLostError}
     */
    async repeatBy(helpfulAttempt: HelpfulAttempt, context: LeasedContext): Promise<Token | undefined> {
      if (!hasTimeFor(context.connection.authorizationServer, context.deadline - now())) return undefined
      try {
        return await attemptOnce(await locate(context), keysOf(helpfulAttempt))
      } catch (error) {
        if (error instanceof TokenwellError && !(error instanceof LeaseLostError)) return undefined
        throw error
      }
    },
  }
}

/** Whether the request was not made, because nothing signs its assertions. */
function isUnsigned(error: unknown): boolean {
  return error instanceof KeyStoreError || error instanceof KeyServiceError || error instanceof WebIdentityError
}

/** Whether the token endpoint may be another one by now. */
function mayHaveMoved(error: unknown): boolean {
  return error instanceof TokenEndpointError && (error.blames === 'endpoint' || error.blames === 'way')
}

/** Another token of the connection has other keys, which its server must not get. */
function nameOf({ name, authentication }: ServedConnection): string {
  return JSON.stringify([name, authentication.id])
}

/** Undefined for the current keys. */
function keysOf(attempt: HelpfulAttempt): RequestKeys | undefined {
  return attempt.kind === 'by_previous_key' ? attempt.keys : undefined
}
