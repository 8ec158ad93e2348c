import type { CallersToken } from '../../lib/access-token/callers-token.ts'
import { isTokenId, type TokenRequest } from '../../lib/access-token/token.ts'
import { InvalidRequestError } from '../../lib/admission/invalid-request.ts'
import { claimPrefix, clientParameters, grantParameters, queryParameters } from '../../lib/admission/parameter-names.ts'
import { isSubject, readSubjectSegment } from '../../lib/configuration/subject.ts'
import { isExchangedTokenType, isResourceIndicator, isScopeToken } from '../../lib/configuration/value-syntax.ts'
import { connectionOf } from '../../lib/http-interface/entrance.ts'
import type { DirectEntry, UnqualifiedEntry } from '../../lib/http-interface/entry.ts'
import { type HttpEvent, namedConnection } from '../../lib/http-interface/http-event.ts'
import { Secret } from '../../lib/secret/secret.ts'
import { demandNoTwins, type Parameters, readBody, readForm, readMembers } from './request-parameters.ts'

const bodyParameters: readonly string[] = grantParameters
const droppedParameters: readonly string[] = clientParameters
const ownParameters: readonly string[] = queryParameters

/**
 * `POST /connections/{connection}/token`, or the same for a user, `/as/{subject}/token`: a token request as form or JSON, with Tokenwell's own
 * parameters in the query.
 * @throws {InvalidRequestError}
 */
export function readHttpTokenRequest(event: HttpEvent): TokenRequest {
  const query = readForm('query', event.rawQueryString)
  const unknown = [...query.keys()].filter((name) => !ownParameters.includes(name))
  if (unknown.some((name) => [...bodyParameters, ...droppedParameters].includes(name)))
    throw notInQuery(queryParameters)
  const body = readBody(event)
  for (const name of queryParameters)
    if (body.has(name)) throw new InvalidRequestError(name, 'is in the body. Send it in the query string.')
  demandNoTwins([...body.keys(), ...query.keys()])
  const request = { ...createTokenRequest(readConnection(event), body, query), ...readSubject(event) }
  return unknown.length > 0 ? { ...request, inQuery: unknown } : request
}

function readSubject({ pathParameters }: HttpEvent): Pick<TokenRequest, 'subject'> {
  const segment = pathParameters['subject']
  if (segment === undefined) return {}
  const subject = readSubjectSegment(segment)
  if (subject === undefined)
    throw new InvalidRequestError(
      'subject',
      'must be written in one way: as it is, where it has only letters, digits, @ . _ and -, else as ~ and the base64url of its UTF-8 without padding. It has at most 256 characters and no control character.',
    )
  return { subject }
}

/**
 * A direct request: one object with all parameters. The connection is that of the alias.
 * @throws {InvalidRequestError}
 * @throws {AccessDeniedError} for the connection of another alias
 */
export function readDirectTokenRequest(event: unknown, entry: DirectEntry | UnqualifiedEntry): TokenRequest {
  const members = readMembers(event)
  demandNoTwins([...members.keys()])
  const isOwn = (name: string) => name === 'connection' || ownParameters.includes(name)
  const body = new Map([...members].filter(([name]) => !isOwn(name)))
  const connection = namedConnection(connectionOf(entry, members.get('connection')?.[0]))
  return createTokenRequest(connection, body, members)
}

/**
 * The connection and the token of `DELETE /connections/{connection}/token?token_id=`.
 * @throws {InvalidRequestError}
 */
export function readRejection(event: HttpEvent): {
  readonly connection: string
  readonly tokenId: string
} {
  const tokenId = readTokenId('token_id', readQuery(event, ['token_id']))
  if (tokenId === undefined)
    throw new InvalidRequestError('token_id', 'is missing. Send the token_id of the token to drop in the query string.')
  return { connection: readConnection(event), tokenId }
}

function readConnection({ pathParameters }: HttpEvent): string {
  return namedConnection(pathParameters['connection'])
}

function readQuery({ rawQueryString }: HttpEvent, allowed: readonly string[]): Parameters {
  const query = readForm('query', rawQueryString)
  for (const name of query.keys()) if (!allowed.includes(name)) throw notInQuery(allowed)
  return query
}

function notInQuery(allowed: readonly string[]): InvalidRequestError {
  return new InvalidRequestError(
    'query',
    `may contain only ${allowed.join(' and ')}. Send other parameters in the body.`,
  )
}

function createTokenRequest(connection: string, body: Parameters, query: Parameters): TokenRequest {
  const one = (name: string) => body.get(name)?.[0]
  const [grantType, audience, username, password] = ['grant_type', 'audience', 'username', 'password'].map(one)
  const scope = readScope(body)
  const resource = readResource(body)
  const claims = readClaims(body)
  const subjectToken = readCallersToken('subject_token', body)
  const actorToken = readCallersToken('actor_token', body)
  const authentication = query.get('authentication')?.[0]
  const minimumSeconds = readMinimumSeconds(query)
  const rejectedTokenId = readTokenId('rejected_token_id', query)
  return {
    connection,
    ...(authentication !== undefined && { authentication }),
    ...(grantType !== undefined && { grantType }),
    ...(scope && { scope }),
    ...(resource && { resource }),
    ...(audience !== undefined && { audience }),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password: new Secret(password) }),
    ...(claims && { claims }),
    ...(subjectToken && { subjectToken }),
    ...(actorToken && { actorToken }),
    further: readFurther(body),
    ...(minimumSeconds !== undefined && { minimumSeconds }),
    ...(rejectedTokenId !== undefined && { rejectedTokenId }),
  }
}

function readScope(body: Parameters): readonly string[] | undefined {
  const scope = body
    .get('scope')
    ?.flatMap((part) => part.split(' '))
    .filter(Boolean)
  if (scope && !scope.every(isScopeToken))
    throw new InvalidRequestError(
      'scope',
      'must be a list of scopes, separated by spaces. A scope has printable ASCII characters without quotation mark and backslash.',
    )
  return scope?.length ? [...new Set(scope)] : undefined
}

function readResource(body: Parameters): readonly string[] | undefined {
  const resource = body.get('resource')
  if (resource && !resource.every(isResourceIndicator))
    throw new InvalidRequestError('resource', 'must be an absolute URI without a fragment.')
  return resource && [...new Set(resource)]
}

function readClaims(body: Parameters): TokenRequest['claims'] {
  const claims = [...body].filter(([name]) => isClaimParameter(name))
  for (const [name, [value = '']] of claims)
    if (!isSubject(value))
      throw new InvalidRequestError(name, 'must be one line of at most 256 characters, without control characters.')
  if (claims.length === 0) return undefined
  return Object.fromEntries(claims.map(([name, [value = '']]) => [name.slice(claimPrefix.length), value]))
}

function isClaimParameter(name: string): boolean {
  return name.startsWith(claimPrefix) && name.length > claimPrefix.length
}

/** RFC 8693 section 2.1: a type never comes without its token. */
function readCallersToken(name: 'subject_token' | 'actor_token', body: Parameters): CallersToken | undefined {
  const [token] = body.get(name) ?? []
  const [type] = body.get(`${name}_type`) ?? []
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token))
    throw new InvalidRequestError(name, 'must be a token alone: printable ASCII characters without blanks.')
  if (type !== undefined && !isExchangedTokenType(type))
    throw new InvalidRequestError(`${name}_type`, 'must be an absolute URI of at most 256 characters.')
  if (token !== undefined) return { token: new Secret(token), ...(type !== undefined && { type }) }
  if (type === undefined) return undefined
  throw new InvalidRequestError(`${name}_type`, `is sent without ${name}. Leave it out, or send ${name} too.`)
}

function readFurther(body: Parameters): Readonly<Record<string, string>> {
  const isOwn = (name: string) =>
    bodyParameters.includes(name) || droppedParameters.includes(name) || isClaimParameter(name)
  const further = [...body].filter(([name]) => !isOwn(name))
  return Object.fromEntries(further.map(([name, [value = '']]) => [name, value]))
}

function readMinimumSeconds(query: Parameters): number | undefined {
  const text = query.get('minimum_seconds')?.[0]
  if (text !== undefined && !/^\d{1,9}$/.test(text))
    throw new InvalidRequestError('minimum_seconds', 'must be a whole number of seconds.')
  return text === undefined ? undefined : Number(text)
}

function readTokenId(name: string, query: Parameters): string | undefined {
  const tokenId = query.get(name)?.[0]
  if (tokenId !== undefined && !isTokenId(tokenId))
    throw new InvalidRequestError(name, 'must be a token_id that Tokenwell returned.')
  return tokenId
}
