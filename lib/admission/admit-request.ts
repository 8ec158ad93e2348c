import type { TokenRequest } from '../access-token/token.ts'
import { authorizationDetails, readDetails } from '../configuration/authorization-details.ts'
import { isServed, type TokenConnection, takesPassword } from '../configuration/connection.ts'
import type { ConnectionCache, KnownConnection } from '../configuration/connection-cache.ts'
import { jwtBearer, tokenExchange } from '../configuration/grant-type.ts'
import type { GrantParameters } from '../token-endpoint/grants/grant-form.ts'
import { admitAuthentication } from './admit-authentication.ts'
import { admitTokens } from './admit-tokens.ts'
import { admitClaims } from './claims-from-request.ts'
import { InvalidRequestError } from './invalid-request.ts'
import { demandSendable, demandSendableParameters } from './sendable-credentials.ts'

/** A request that its connection's elements allow. */
export interface Admission extends KnownConnection {
  /** What the request asks for: the connection's main token, or another one. */
  readonly connection: TokenConnection
  readonly parameters: GrantParameters
}

/**
 * Reads the connection's elements and checks the request against them.
 * @param fingerprint the fingerprint of the elements that are active in the fleet
 * @throws {UnknownConnectionError}
 * @throws {ConfigurationError}
 * @throws {ElementStoreError}
 * @throws {InvalidRequestError}
 */
export async function admit(
  connections: ConnectionCache,
  request: TokenRequest,
  fingerprint?: string,
): Promise<Admission> {
  const known = await connections.get(request.connection, fingerprint)
  const connection = admitAuthentication(known.connection, request)
  return { ...known, connection, parameters: admitRequest(connection, request) }
}

/**
 * The parameters for the token endpoint: those of the elements and the caller parameters. A request may repeat what an element sets, ask
 * for a part of its scope or resource, and add the scope, resource, audience and user that the element leaves out. Where the element has
 * `requestMay`, a request may add exactly what that lists. A request sets exactly the claims of `claimsFromRequest`.
 * @throws {InvalidRequestError} with the name of the parameter
 * @throws {AccessDeniedError} where the caller's JWT lacks a claim
 */
export function admitRequest(connection: TokenConnection, request: TokenRequest): GrantParameters {
  admitGrantType(takesPassword(connection.grant) ? 'password' : 'client_credentials', request)
  const { scope, resource, audience, further } = connection.parameters
  const scopeSeparator = isServed(connection) ? connection.authorizationServer.scopeSeparator : undefined
  demandSingleScopes(request.scope, scopeSeparator)
  const allowed = (name: string, values: readonly string[] | undefined, configured: readonly string[]) =>
    admitValues(connection, name, values, configured)

  const [admittedAudience] = allowed('audience', listOf(request.audience), listOf(audience) ?? [])
  const claims = admitClaims(connection, request)
  for (const [name, value] of Object.entries(request.further))
    allowed(name, valuesIn(name, value), Object.hasOwn(further, name) ? valuesIn(name, further[name] ?? '') : [])
  demandSendableParameters(connection.grant, request.further)
  return {
    scope: allowed('scope', request.scope, scope),
    ...(scopeSeparator !== undefined && { scopeSeparator }),
    resource: allowed('resource', request.resource, resource),
    ...(admittedAudience !== undefined && { audience: admittedAudience }),
    ...admitUser(connection, request),
    ...(Object.keys(claims).length > 0 && { claims }),
    ...admitTokens(connection, request),
    further: { ...further, ...request.further },
  }
}

/** The server would read such a scope as two, so that the token key and the check of the scope would be about another scope. */
function demandSingleScopes(scope: readonly string[] | undefined, separator: string | undefined): void {
  if (separator !== undefined && scope?.some((each) => each.includes(separator)))
    throw new InvalidRequestError(
      'scope',
      `has a scope that contains ${JSON.stringify(separator)}. Separate scopes by blanks: Tokenwell sends them as this server wants them.`,
    )
}

/** RFC 9396: a request may send some of the objects, and no other. */
function valuesIn(name: string, value: string): readonly string[] {
  return (name === authorizationDetails ? readDetails(value) : undefined) ?? [value]
}

function listOf(value: string | undefined): readonly string[] | undefined {
  return value === undefined ? undefined : [value]
}

/**
 * A caller's grant type only says what it sends: a user, or tokens. How Tokenwell itself gets the token is decided by the elements.
 * @throws {InvalidRequestError}
 */
export function admitGrantType(grantType: 'client_credentials' | 'password', request: TokenRequest): void {
  if (request.grantType === tokenExchange) {
    if (request.subjectToken) return
    throw new InvalidRequestError(
      'subject_token',
      'is missing. The grant type token-exchange needs one. If Tokenwell makes the token of this connection, leave grant_type out.',
    )
  }
  if (request.grantType !== undefined && request.grantType !== grantType)
    throw new InvalidRequestError(
      'grant_type',
      `must be ${grantType} for this connection. Leave it out, or send ${grantType}.`,
      'unsupported_grant_type',
    )
}

/**
 * A request may set these where the element leaves them out. Any other parameter could give a token of another kind. Where the grant is an
 * assertion or a token, nothing is open: it may speak for a user. Tokens that are not OAuth 2.0 have no such parameters.
 */
function openByDefault({ grant }: TokenConnection): readonly string[] {
  const isClosed = [jwtBearer, tokenExchange, 'authToken', 'authTokenLocal'].includes(grant.type)
  return isClosed ? [] : ['scope', 'resource', 'audience']
}

/** What a request may set a parameter to. */
export function allowedValues(
  connection: TokenConnection,
  name: string,
  configured: readonly string[],
): 'any' | readonly string[] {
  const { requestMay } = connection
  const listed = requestMay && Object.hasOwn(requestMay, name) ? requestMay[name] : undefined
  const isOpen = listed === true || (!requestMay && openByDefault(connection).includes(name) && configured.length === 0)
  return isOpen ? 'any' : [...configured, ...(listed ?? [])]
}

function admitValues(
  connection: TokenConnection,
  name: string,
  values: readonly string[] | undefined,
  configured: readonly string[],
): readonly string[] {
  if (values === undefined) return configured
  const allowed = allowedValues(connection, name, configured)
  if (allowed === 'any' || values.every((value) => allowed.includes(value))) return values
  throw new InvalidRequestError(
    name,
    allowed.length > 0
      ? 'asks for more than this connection allows. Leave it out, or ask for a part of the configured values.'
      : 'cannot be set by a request for this connection. Leave it out.',
  )
}

function admitUser(
  connection: TokenConnection,
  { username, password }: TokenRequest,
): Pick<GrantParameters, 'username' | 'password'> {
  if (takesPassword(connection.grant)) {
    if (username === undefined)
      throw new InvalidRequestError('username', 'is missing. A request for this connection must have one.')
    if (password === undefined)
      throw new InvalidRequestError('password', 'is missing. A request for this connection must have one.')
    if (connection.requestMay?.['username'] !== undefined) admitValues(connection, 'username', [username], [])
    demandSendable(connection.grant, username, password)
    return { username, password }
  }
  for (const [name, value] of Object.entries({ username, password }))
    if (value !== undefined)
      throw new InvalidRequestError(
        name,
        `cannot be used: the grant type of this connection is ${connection.grant.type}. Leave it out.`,
      )
  return {}
}
