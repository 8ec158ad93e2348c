import type { TokenRequest } from '../access-token/token.ts'
import type { TokenConnection } from '../configuration/connection.ts'
import { nearestName } from '../configuration/nearest-name.ts'
import { foldedParameterName } from '../configuration/value-syntax.ts'
import { InvalidRequestError } from './invalid-request.ts'
import { clientParameters, grantParameters, queryParameters } from './parameter-names.ts'

/* Names of parameters that must be refused, because to ignore them would change what the caller asked for. */

/** The parameters that Tokenwell knows. */
const ownNames: readonly string[] = ['connection', ...grantParameters, ...queryParameters]
/** A longer name that begins or ends with one of these probably means the same. */
const partNames: readonly string[] = ['scope', 'resource', 'audience', 'username', 'password', 'authentication']

/** A name that is cut after at least this many letters counts as the whole name. */
const leastBeginning = 5

/** Folded names: other words for Tokenwell's own parameters. */
const otherWords: Readonly<Record<string, string>> = {
  ...{ user: 'username', userid: 'username', login: 'username', uname: 'username' },
  ...{ pass: 'password', passwd: 'password', pwd: 'password', passphrase: 'password' },
  ...{ aud: 'audience', scp: 'scope', res: 'resource', grant: 'grant_type' },
  ...{ auth: 'authentication', authn: 'authentication', authid: 'authentication', authref: 'authentication' },
  ...{ tokenid: 'rejected_token_id', rejectedtoken: 'rejected_token_id' },
  ...{ seconds: 'minimum_seconds', minseconds: 'minimum_seconds', minimumlifetime: 'minimum_seconds' },
}

/**
 * Folded names of RFC 9449, RFC 9101, OpenID and UMA. To ignore one could give a wider token than the caller asked for, or a token of
 * another user.
 */
const narrowingNames: ReadonlySet<string> = new Set(
  [
    ...['request', 'request_uri', 'acr_values', 'max_age', 'login_hint', 'id_token_hint'],
    ...['assertion', 'code', 'code_verifier', 'refresh_token', 'device_code', 'auth_req_id', 'ticket', 'rpt', 'pct'],
    ...['permission', 'permissions', 'organization', 'purpose', 'token_type', 'dpop_jkt', 'req_cnf', 'cnf', 'sub'],
  ].map(foldedParameterName),
)
/** The same for names with one of these beginnings, from RFC 8693, RFC 9396, OpenID and UMA. */
const narrowingBeginnings =
  /^(requested|subject|actor|claim|authorizationdetail|authorisationdetail|onbehalf|impersonat|delegat)/

/** A request, and the names of its parameters that are ignored. */
export interface AskedRequest<R extends TokenRequest> {
  /** The request without the ignored parameters, which are no part of the token key and are never sent. */
  readonly request: R
  readonly ignored: readonly string[]
}

/**
 * Removes the parameters that are ignored: those that neither the element sets nor `requestMay` lists. What the element sets stays, and
 * `admitRequest` checks it.
 * @throws {InvalidRequestError} where to ignore a parameter could give another token than the caller asked for
 */
export function withoutIgnored<R extends TokenRequest>(connection: TokenConnection, asked: R): AskedRequest<R> {
  const { inQuery = [] } = asked
  const configured = configuredNames(connection)
  const unknown = Object.keys(asked.further).filter((name) => !configured.includes(name))
  for (const name of inQuery)
    if (configured.includes(name)) throw new InvalidRequestError(name, 'belongs in the body, not in the query.')
  for (const name of [...unknown, ...inQuery]) demandIgnorable(name, configured)

  const further = Object.fromEntries(Object.entries(asked.further).filter(([name]) => !unknown.includes(name)))
  return { request: { ...asked, further }, ignored: [...unknown, ...inQuery] }
}

function configuredNames({ parameters, requestMay = {} }: TokenConnection): readonly string[] {
  return [...Object.keys(parameters.further), ...Object.keys(requestMay)]
}

/** @throws {InvalidRequestError} where a parameter of this name must not be ignored */
function demandIgnorable(name: string, configured: readonly string[]): void {
  const folded = foldedParameterName(name)
  const nearest = nearMissOf(folded, configured)
  if (nearest !== undefined)
    throw new InvalidRequestError(name, `is not a parameter of this connection. Did you mean ${nearest}?`)
  if (isNarrowing(folded))
    throw new InvalidRequestError(
      name,
      'cannot be set by a request for this connection. Without it the token could allow more than you ask for. Leave it out, or ask the operator to list it in requestMay.',
    )
}

function isNarrowing(folded: string): boolean {
  return narrowingNames.has(folded) || narrowingBeginnings.test(folded)
}

/** @param configured the parameter names in the connection's elements */
function nearMissOf(folded: string, configured: readonly string[]): string | undefined {
  const sameFolded = [...ownNames, ...clientParameters, ...configured].find(
    (own) => foldedParameterName(own) === folded,
  )
  if (sameFolded !== undefined) return sameFolded
  if (Object.hasOwn(otherWords, folded)) return otherWords[folded]
  // Some of these names differ from Tokenwell's in few letters only, but have another meaning.
  if (isNarrowing(folded)) return undefined
  const part = partNames.find((own) => folded.startsWith(own) || folded.endsWith(own))
  if (part !== undefined) return part
  const byFolded = new Map([...ownNames, ...configured].map((own) => [foldedParameterName(own), own]))
  const begun = [...byFolded.keys()].find((own) => folded.length >= leastBeginning && own.startsWith(folded))
  if (begun !== undefined) return byFolded.get(begun)
  const nearest = nearestName(folded, [...byFolded.keys()])
  return nearest === undefined ? undefined : byFolded.get(nearest)
}
