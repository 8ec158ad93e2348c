import { type Caller, certificateCaller, iamCaller, jwtCaller, knownCallers } from '../access-token/caller.ts'
import { AccessDeniedError } from '../admission/access-denied.ts'
import { CertificateMissingError } from '../admission/client-certificate.ts'
import { isJsonObject, type JsonObject } from '../base/decoding.ts'
import type { ConnectionFilter } from '../configuration/inspect-elements.ts'
import { aliasOf, type Entry } from './entry.ts'

/** Which connections a caller may use. */
export interface Access {
  allows(connection: string): boolean
}

/** The alias that was invoked, and the part of an HTTP API event, payload format 2.0, that identifies the caller. */
interface AuthorizedEvent {
  readonly entry: Entry
  readonly requestContext: object
}

/**
 * Behind the alias of a connection, only that connection. Behind `_mtls` the elements decide: see `certificateOf`. Behind `_live`
 * the authorizer of the HTTP API decides. Behind IAM, API Gateway has decided already, and the caller may use every connection.
 * Behind a JWT authorizer, the claim lists the connections, separated by spaces or as a list, which API Gateway passes on as
 * `[a b]`. Without the claim the caller has no access.
 * @param connectionsClaim undefined behind IAM
 */
export function accessOf({ entry, requestContext }: AuthorizedEvent, connectionsClaim: string | undefined): Access {
  if (entry.kind === 'direct') return { allows: (connection) => connection === entry.connection }
  if (entry.kind === 'mutual_tls') return { allows: () => false }
  if (connectionsClaim === undefined) return { allows: () => true }
  const claim = authorizedBy(requestContext, 'jwt', 'claims')?.[connectionsClaim]
  const texts = [claim].flat().filter((each) => typeof each === 'string')
  const listed = new Set(texts.flatMap((each) => each.match(/[^\s,[\]"]+/g) ?? []))
  return { allows: (connection) => listed.has(connection) }
}

/** A client certificate that API Gateway has checked. Its names are exactly as API Gateway writes them. */
export interface ClientCertificate {
  readonly subject: string
  readonly issuer: string
}

/**
 * The client certificate of the caller. Only behind `_mtls` it counts, because only the HTTP API with mutual TLS may invoke that
 * alias. Undefined behind every other alias.
 * @throws {CertificateMissingError} behind `_mtls`, without a certificate
 */
export function certificateOf({ entry, requestContext }: AuthorizedEvent): ClientCertificate | undefined {
  if (entry.kind !== 'mutual_tls') return undefined
  const { subjectDN, issuerDN } = memberOf(requestContext, 'authentication', 'clientCert') ?? {}
  if (typeof subjectDN !== 'string' || subjectDN === '' || typeof issuerDN !== 'string')
    throw new CertificateMissingError()
  return { subject: subjectDN, issuer: issuerDN }
}

/**
 * The caller: the alias of a connection, or the principal that API Gateway has authenticated.
 * @param isLambda without an authorizer, the event comes from the local run or, on Lambda, from an invocation past the HTTP API
 */
export function callerOf(
  { entry, requestContext }: AuthorizedEvent,
  { isLambda }: { readonly isLambda: boolean },
): Caller {
  if (entry.kind === 'direct') return aliasOf(entry.connection)
  const certificate = certificateOf({ entry, requestContext })
  if (certificate) return certificateCaller(certificate.issuer, certificate.subject)
  const { iss, sub } = authorizedBy(requestContext, 'jwt', 'claims') ?? {}
  if (typeof iss === 'string') return jwtCaller(iss, typeof sub === 'string' ? sub : '')
  const { userArn } = authorizedBy(requestContext, 'iam') ?? {}
  if (typeof userArn === 'string') return iamCaller(userArn)
  return isLambda ? knownCallers.direct : knownCallers.local
}

/**
 * Which connections a list for the caller may show. Undefined for all of them: behind IAM, the right to request the list is the
 * right to see every connection.
 */
export function listAccessOf(
  event: AuthorizedEvent,
  connectionsClaim: string | undefined,
): ConnectionFilter | undefined {
  const certificate = certificateOf(event)
  if (certificate)
    return {
      allows: () => true,
      shows: ({ clientCertificateSubjects = [] }) => clientCertificateSubjects.includes(certificate.subject),
    }
  return connectionsClaim === undefined ? undefined : accessOf(event, connectionsClaim)
}

/** The claims of the caller's JWT that the authorizer of the HTTP API has checked. Undefined behind every alias but `_live`. */
export function callersClaimsOf({
  entry,
  requestContext,
}: AuthorizedEvent): Readonly<Record<string, string>> | undefined {
  const claims = entry.kind === 'http' ? authorizedBy(requestContext, 'jwt', 'claims') : undefined
  if (!claims) return undefined
  return Object.fromEntries(
    Object.entries(claims).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value] as const] : [])),
  )
}

/** The member of the authorizer's result at this path. */
function authorizedBy(requestContext: object, ...path: readonly string[]): JsonObject | undefined {
  return memberOf(requestContext, 'authorizer', ...path)
}

function memberOf(requestContext: object, ...path: readonly string[]): JsonObject | undefined {
  let found: unknown = requestContext
  for (const name of path) found = isJsonObject(found) ? found[name] : undefined
  return isJsonObject(found) ? found : undefined
}

/** @throws {AccessDeniedError} */
export function demandAccess(access: Access, connection: string): void {
  if (!access.allows(connection))
    throw new AccessDeniedError(
      `The caller has no access to the connection ${connection}. The connections claim of its JWT must list this name.`,
    )
}
