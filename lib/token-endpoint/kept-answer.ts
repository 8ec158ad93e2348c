import type { Token } from '../access-token/token.ts'
import type { ResolvedAuthorizationServer, ServedConnection } from '../configuration/connection.ts'
import { tokenExchange, tokenTypesByShortName } from '../configuration/grant-type.ts'
import type { GrantParameters } from './grants/grant-form.ts'
import { repeatsAssertion, repeatsCredential, type SignedRequest } from './signed-request.ts'
import type { TokenAnswer } from './token-answer.ts'
import { UnreadableAnswerError } from './token-endpoint-error.ts'

/** An answer with a token, and the members that callers get beside it. */
export interface KeptAnswer extends TokenAnswer, Pick<Token, 'passedOn'> {}

/**
 * What callers get of an answer, but for its lifetime.
 * @throws {UnreadableAnswerError} if they must not have it
 */
export function keptOf(
  answer: KeptAnswer,
  signed: SignedRequest,
  connection: ServedConnection,
  parameters: GrantParameters,
): Pick<Token, 'accessToken' | 'scope' | 'issuedTokenType' | 'passedOn'> {
  const { grant, authorizationServer } = connection
  if (grant.type === 'authToken') demandNoCredential(answer, signed, authorizationServer)
  else demandNoAssertion(answer, signed, authorizationServer)
  return {
    accessToken: answer.accessToken,
    ...scopeOf(answer, parameters),
    ...(answer.passedOn && { passedOn: answer.passedOn }),
    ...issuedTypeOf(answer, connection, parameters),
  }
}

/**
 * RFC 6749 section 5.1: a server may leave out the scope where it grants the requested one. Callers get scopes that are separated by
 * blanks, whatever the server's separator is.
 */
function scopeOf({ scope }: TokenAnswer, asked: GrantParameters): Pick<Token, 'scope'> {
  const { scopeSeparator } = asked
  if (scope === undefined) return asked.scope.length > 0 ? { scope: asked.scope.join(' ') } : {}
  if (scopeSeparator === undefined) return { scope }
  const scopes = scope.replaceAll(scopeSeparator, ' ').split(' ')
  return { scope: scopes.filter(Boolean).join(' ') }
}

/** @throws {UnreadableAnswerError} if the server sent an assertion back */
function demandNoAssertion(answer: KeptAnswer, signed: SignedRequest, { id }: ResolvedAuthorizationServer): void {
  const { accessToken, scope = '', passedOn = {} } = answer
  if (!repeatsAssertion(signed, accessToken, [scope, ...Object.values(passedOn)])) return
  throw new UnreadableAnswerError(
    `The authorization server ${id} answered with an assertion that it was sent. No caller gets an assertion. Check tokenEndpoint: it may lead to a server that repeats its requests.`,
  )
}

/** @throws {UnreadableAnswerError} if the server sent back what authenticated the request */
function demandNoCredential(answer: KeptAnswer, signed: SignedRequest, { id }: ResolvedAuthorizationServer): void {
  const { accessToken, passedOn = {} } = answer
  if (!repeatsCredential(signed, accessToken, Object.values(passedOn))) return
  throw new UnreadableAnswerError(
    `The authorization server ${id} answered with a credential that it was sent. No caller gets it as a token. Check tokenEndpoint and tokenResponse: they may lead to a server that repeats its requests.`,
  )
}

/**
 * The type of an exchanged token. RFC 8693 section 2.2.1 requires the server to name it. Some servers do not: then it is the requested type,
 * or else an access token.
 * @throws {UnreadableAnswerError} if it is not the requested type, or a refresh token
 */
function issuedTypeOf(
  { issuedTokenType }: TokenAnswer,
  { grant, authorizationServer: { id } }: ServedConnection,
  { further: { requested_token_type: requested } }: GrantParameters,
): Pick<Token, 'issuedTokenType'> {
  if (grant.type !== tokenExchange) return {}
  const { access_token: accessTokenType, refresh_token: refreshTokenType } = tokenTypesByShortName
  const issued = issuedTokenType ?? requested ?? accessTokenType
  if (requested !== undefined && issued !== requested)
    throw new UnreadableAnswerError(
      `The authorization server ${id} issued a token of the type ${told(issued)}, but ${told(requested)} was requested. Set requestedTokenType to a type that the server issues to this client.`,
      { blames: 'token' },
    )
  if (issued === refreshTokenType)
    throw new UnreadableAnswerError(
      `The authorization server ${id} issued a refresh token, which Tokenwell gives to no caller. Set requestedTokenType to access_token.`,
      { blames: 'token' },
    )
  return { issuedTokenType: issued }
}

/** A type that a server invents, or a caller asks for, may hold a token or a user. */
function told(type: string): string {
  return Object.values<string>(tokenTypesByShortName).includes(type) ? type : '[...]'
}
