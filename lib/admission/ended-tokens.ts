import { endOfCallersToken } from '../access-token/callers-token.ts'
import type { TokenRequest } from '../access-token/token.ts'
import { InvalidRequestError } from './invalid-request.ts'

/** Servers tolerate clocks that differ by up to 5 minutes. */
const toleratedMilliseconds = 300_000

/**
 * A token that no server can accept costs no token request, and does not count among the failures of its caller.
 * @param now milliseconds since the epoch
 * @throws {InvalidRequestError}
 */
export function demandUnended({ subjectToken, actorToken }: TokenRequest, now: number): void {
  for (const [name, token] of Object.entries({ subject_token: subjectToken, actor_token: actorToken })) {
    const end = token && endOfCallersToken(token)
    if (end !== undefined && end + toleratedMilliseconds <= now)
      throw new InvalidRequestError(name, 'ended more than 5 minutes ago, by its own exp. Send a token that is valid.')
  }
}
