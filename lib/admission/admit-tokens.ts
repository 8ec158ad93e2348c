import type { CallersToken } from '../access-token/callers-token.ts'
import type { TokenRequest } from '../access-token/token.ts'
import type { ExchangedToken, TokenConnection } from '../configuration/connection.ts'
import { tokenExchange } from '../configuration/grant-type.ts'
import type { GrantParameters } from '../token-endpoint/grants/grant-form.ts'
import { InvalidRequestError } from './invalid-request.ts'

/**
 * The tokens that Tokenwell does not make itself, with their types (RFC 8693 section 2.1).
 * @throws {InvalidRequestError}
 */
export function admitTokens(
  { grant, requestMay }: TokenConnection,
  { subjectToken, actorToken }: TokenRequest,
): Pick<GrantParameters, 'subjectToken' | 'actorToken'> {
  if (grant.type !== tokenExchange) {
    const name = subjectToken ? 'subject_token' : 'actor_token'
    if (!subjectToken && !actorToken) return {}
    throw new InvalidRequestError(
      name,
      `cannot be used: the grant type of this connection is ${grant.type}. Leave it out.`,
    )
  }
  if (!subjectToken && !grant.subject.assertion)
    throw new InvalidRequestError('subject_token', 'is missing. A request for this connection must have one.')
  if (subjectToken && grant.subject.assertion)
    throw new InvalidRequestError(
      'subject_token',
      'cannot be used: Tokenwell makes that of this connection. Leave it out.',
    )
  if (actorToken && requestMay?.['actor_token'] !== true)
    throw new InvalidRequestError('actor_token', 'cannot be set by a request for this connection. Leave it out.')
  return {
    ...(subjectToken && { subjectToken: admitToken('subject_token', grant.subject, subjectToken) }),
    ...(actorToken && { actorToken: admitToken('actor_token', grant.actor, actorToken) }),
  }
}

/** The type is that of the element, or else the caller's. */
function admitToken(name: string, { type }: ExchangedToken = {}, sent: CallersToken): CallersToken {
  if (sent.type === undefined && type === undefined)
    throw new InvalidRequestError(
      `${name}_type`,
      'is missing. Send the type of the token, such as urn:ietf:params:oauth:token-type:access_token.',
    )
  if (sent.type !== undefined && type !== undefined && sent.type !== type)
    throw new InvalidRequestError(`${name}_type`, `must be ${type} for this connection. Leave it out, or send ${type}.`)
  return { ...sent, ...(type !== undefined && { type }) }
}
