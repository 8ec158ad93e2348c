import type { TokenRequest } from '../access-token/token.ts'
import { claimsFromRequestOf, type TokenConnection } from '../configuration/connection.ts'
import type { ClaimsFromRequest } from '../configuration/element.ts'
import { isSubject } from '../configuration/subject.ts'
import { AccessDeniedError } from './access-denied.ts'
import { InvalidRequestError } from './invalid-request.ts'

/*
 * The claims that a request sets in the assertion of its grant. It must set each of them: without one, the server could issue a token of
 * another kind, such as one of the client itself in place of a user's.
 */

type ClaimRule = ClaimsFromRequest[string]
type FromCaller = Extract<ClaimRule, { readonly fromCaller: string }>
type Claims = Readonly<Record<string, string>>

/** Where the value of a claim comes from: the path, the caller's JWT, or the body with a listed value or with any value. */
type Place = 'path' | 'jwt' | 'listed' | 'free'

function isOfCaller(rule: ClaimRule): rule is FromCaller {
  return typeof rule === 'object' && 'fromCaller' in rule
}

function placeOf(name: string, rule: ClaimRule): Place {
  if (isOfCaller(rule)) return 'jwt'
  if (name === 'sub') return 'path'
  return rule === true ? 'free' : 'listed'
}

/** Undefined for a claim that the elements do not leave to the request. */
function placeIn(rules: ReadonlyMap<string, ClaimRule>, name: string): Place | undefined {
  const rule = rules.get(name)
  return rule && placeOf(name, rule)
}

/** Whether the JWT of the caller decides a claim. */
export function takesCallersClaims({ grant }: TokenConnection): boolean {
  return Object.values(claimsFromRequestOf(grant)).some(isOfCaller)
}

/**
 * The request with the claims that its connection takes from the caller's JWT. A claim whose values the elements don't list may name a
 * user, so it becomes one of `userClaims`. This admits nothing: `admitClaims` does so before each token request.
 * @throws {AccessDeniedError} where the caller's JWT lacks such a claim
 */
export function withUserClaims<R extends TokenRequest>(connection: TokenConnection, asked: R): R {
  const { claims = {}, ...rest } = asked
  const rules = new Map(Object.entries(claimsFromRequestOf(connection.grant)))
  const named = Object.entries(claims)
  const isFree = ([name]: readonly [string, string]) => placeIn(rules, name) === 'free'
  const ofCaller = [...rules].flatMap(([name, rule]) =>
    isOfCaller(rule) ? [[name, callersClaim(connection, rule, asked)] as const] : [],
  )
  const userClaims = [...named.filter(isFree), ...ofCaller]
  if (userClaims.length === 0) return asked
  const others = named.filter((each) => !isFree(each))
  const added = { ...(others.length > 0 && { claims: Object.fromEntries(others) }) }
  return { ...rest, ...added, userClaims: Object.fromEntries(userClaims) } as unknown as R
}

/** @throws {AccessDeniedError} */
function callersClaim(
  { name }: TokenConnection,
  { fromCaller: claim }: FromCaller,
  { callersClaims }: TokenRequest,
): string {
  if (!callersClaims)
    throw new AccessDeniedError(
      `The connection ${name} takes the claim ${claim} from the JWT of its caller, and this caller has no JWT that API Gateway has checked. Call the HTTP API of a stage with a JWT authorizer.`,
    )
  const value = Object.hasOwn(callersClaims, claim) ? callersClaims[claim] : undefined
  // API Gateway passes on a list as `[a b]`, which can't be told from a text.
  if (value === undefined || !isSubject(value) || /^\[.*\]$/.test(value))
    throw new AccessDeniedError(
      `The connection ${name} takes the claim ${claim} from the JWT of its caller, and this JWT has no such claim that is one text of at most 256 characters.`,
    )
  return value
}

/**
 * The claims that a request sets in the assertion.
 * @throws {InvalidRequestError} with the name of the claim
 * @throws {AccessDeniedError} where the caller's JWT lacks a claim that it decides
 */
export function admitClaims(connection: TokenConnection, request: TokenRequest): Claims {
  const { subject, claims = {}, userClaims = {} } = request
  const rules = new Map(Object.entries(claimsFromRequestOf(connection.grant)))
  const placeFor = (name: string) => placeIn(rules, name)
  if (subject !== undefined && placeFor('sub') !== 'path')
    throw new InvalidRequestError(
      'subject',
      `cannot be named for this connection. Send POST /connections/${connection.name}/token.`,
    )
  for (const name of Object.keys(claims))
    if (placeFor(name) !== 'listed') throw closed(name, placeFor(name), connection)
  for (const name of Object.keys(userClaims))
    if (placeFor(name) !== 'free' && placeFor(name) !== 'jwt') throw closed(name, placeFor(name), connection)
  return Object.fromEntries([...rules].map(([name, rule]) => [name, admitClaim(name, rule, connection, request)]))
}

/**
 * Refuses a connection whose requests name a user in their path.
 * @throws {InvalidRequestError}
 */
export function demandNoSubject(connection: TokenConnection): void {
  const { sub } = claimsFromRequestOf(connection.grant)
  if (sub !== undefined && placeOf('sub', sub) === 'path') throw subjectMissing(connection)
}

function closed(name: string, place: Place | undefined, connection: TokenConnection): InvalidRequestError {
  if (place === 'path') return subjectMissing(connection)
  return new InvalidRequestError(
    `claim.${name}`,
    place === 'jwt'
      ? 'cannot be sent: the JWT of the caller decides it. Leave it out.'
      : 'cannot be set by a request for this connection. Leave it out.',
  )
}

function subjectMissing({ name }: TokenConnection): InvalidRequestError {
  return new InvalidRequestError(
    'subject',
    `must be in the path: this connection issues tokens for the user that a request names. Send POST /connections/${name}/as/{subject}/token.`,
  )
}

function admitClaim(name: string, rule: ClaimRule, connection: TokenConnection, request: TokenRequest): string {
  const { subject, claims = {}, userClaims = {} } = request
  const place = placeOf(name, rule)
  const value =
    place === 'path' ? subject : Object.entries({ ...claims, ...userClaims }).find(([each]) => each === name)?.[1]
  if (isOfCaller(rule) && value === callersClaim(connection, rule, request)) return value
  if (value === undefined && place === 'path') throw subjectMissing(connection)
  if (value === undefined)
    throw new InvalidRequestError(`claim.${name}`, 'is missing. A request for this connection must have it.')
  if (isSubject(value) && (rule === true || (Array.isArray(rule) && rule.includes(value)))) return value
  throw new InvalidRequestError(
    place === 'path' ? 'subject' : `claim.${name}`,
    'has a value that this connection does not allow. The operator lists the values in claimsFromRequest.',
  )
}
