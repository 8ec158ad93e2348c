import type { TokenRequest } from '../access-token/token.ts'
import type { Connection } from '../configuration/connection.ts'
import { nearestName } from '../configuration/finding.ts'
import { foldedParameterName } from '../configuration/value-syntax.ts'
import { InvalidRequestError } from './admit-request.ts'

/* The names of parameters that a request must not have, because they mean more than what would become of them. */

/** What a request says to Tokenwell, or to the server by way of an attribute of its own. */
const ownNames: readonly string[] = [
  'connection',
  'grant_type',
  'scope',
  'resource',
  'audience',
  'username',
  'password',
  'minimum_seconds',
  'rejected_token_id',
]
/** They authenticate the client, which Tokenwell does itself; as they are written here they are dropped. */
const clientNames: readonly string[] = ['client_id', 'client_secret', 'client_assertion', 'client_assertion_type']
/** What a longer name may begin or end with, and mean much the same. */
const partNames: readonly string[] = ['scope', 'resource', 'audience', 'username', 'password']

/** So many letters of a name's beginning are that name. */
const leastBeginning = 5

/** Folded. Other words for our own. */
const otherWords: Readonly<Record<string, string>> = {
  ...{ user: 'username', userid: 'username', login: 'username', uname: 'username' },
  ...{ pass: 'password', passwd: 'password', pwd: 'password', passphrase: 'password' },
  ...{ aud: 'audience', scp: 'scope', res: 'resource', grant: 'grant_type' },
  ...{ tokenid: 'rejected_token_id', rejectedtoken: 'rejected_token_id' },
  ...{ seconds: 'minimum_seconds', minseconds: 'minimum_seconds', minimumlifetime: 'minimum_seconds' },
}

/** Folded. Whose absence could give a wider token than was asked for, or one of another user: RFC 9449, 9101, OpenID, UMA. */
const narrowingNames: ReadonlySet<string> = new Set(
  [
    ...['request', 'request_uri', 'acr_values', 'max_age', 'login_hint', 'id_token_hint'],
    ...['assertion', 'code', 'code_verifier', 'refresh_token', 'device_code', 'auth_req_id', 'ticket', 'rpt', 'pct'],
    ...['permission', 'permissions', 'organization', 'purpose', 'token_type', 'dpop_jkt', 'req_cnf', 'cnf'],
  ].map(foldedParameterName),
)
/** The same of names that begin so: RFC 8693, 9396, OpenID, UMA. */
const narrowingBeginnings =
  /^(requested|subject|actor|claim|authorizationdetail|authorisationdetail|onbehalf|impersonat|delegat)/

/** What counts of a request, and what doesn't. */
export interface AskedRequest<R extends TokenRequest> {
  /** Without the parameters that are ignored: no part of the token key, and never sent. */
  readonly request: R
  readonly ignored: readonly string[]
}

/**
 * By default a request may leave out and repeat what the element sets, and a parameter of which nobody here knows is
 * ignored; where `requestMay` is given, what it doesn't list is left to `admitRequest`, which refuses it.
 * @throws {InvalidRequestError} where to ignore a parameter would give another token than was asked for
 */
export function withoutIgnored<R extends TokenRequest>(connection: Connection, asked: R): AskedRequest<R> {
  const { inQuery = [] } = asked
  const configured = configuredNames(connection)
  const unknown = Object.keys(asked.further).filter((name) => !configured.includes(name))
  for (const name of inQuery)
    if (configured.includes(name)) throw new InvalidRequestError(name, 'belongs in the body, not in the query.')
  for (const name of [...unknown, ...inQuery]) demandIgnorable(name, configured)

  const ignored = connection.requestMay ? [] : unknown
  const further = Object.fromEntries(Object.entries(asked.further).filter(([name]) => !ignored.includes(name)))
  return { request: { ...asked, further }, ignored: [...ignored, ...inQuery] }
}

function configuredNames({ parameters, requestMay = {} }: Connection): readonly string[] {
  return [...Object.keys(parameters.further), ...Object.keys(requestMay)]
}

/** @throws {InvalidRequestError} where the name means more than what would become of it */
function demandIgnorable(name: string, configured: readonly string[]): void {
  const folded = foldedParameterName(name)
  const nearest = nearMissOf(folded, configured)
  if (nearest !== undefined)
    throw new InvalidRequestError(name, `is no parameter of this connection. Did you mean ${nearest}?`)
  if (isNarrowing(folded))
    throw new InvalidRequestError(
      name,
      "can't be set by a request for this connection, and without it the token could allow more than you ask for; leave it out, or have it listed in requestMay.",
    )
}

function isNarrowing(folded: string): boolean {
  return narrowingNames.has(folded) || narrowingBeginnings.test(folded)
}

/** @param configured the names that the connection's elements have */
function nearMissOf(folded: string, configured: readonly string[]): string | undefined {
  const sameFolded = [...ownNames, ...clientNames, ...configured].find((own) => foldedParameterName(own) === folded)
  if (sameFolded !== undefined) return sameFolded
  if (Object.hasOwn(otherWords, folded)) return otherWords[folded]
  // Some of these are few letters away from ours, and have a meaning of their own.
  if (isNarrowing(folded)) return undefined
  const part = partNames.find((own) => folded.startsWith(own) || folded.endsWith(own))
  if (part !== undefined) return part
  const byFolded = new Map([...ownNames, ...configured].map((own) => [foldedParameterName(own), own]))
  const begun = [...byFolded.keys()].find((own) => folded.length >= leastBeginning && own.startsWith(folded))
  if (begun !== undefined) return byFolded.get(begun)
  const nearest = nearestName(folded, [...byFolded.keys()])
  return nearest === undefined ? undefined : byFolded.get(nearest)
}
