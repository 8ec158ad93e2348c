import { type Caller, iamCaller, jwtCaller, knownCallers } from '../access-token/caller.ts'
import { isJsonObject, type JsonObject } from '../base/decoding.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'

/** Which connections a caller may use. */
export interface Access {
  allows(connection: string): boolean
}

/** The part of an HTTP API's event, payload format 2.0, that says who calls. */
interface AuthorizedEvent {
  readonly requestContext: object
}

/**
 * Behind IAM, API Gateway has decided already: the caller may use every connection. Behind a JWT authorizer, the claim lists the
 * connections: separated by blanks, or as a list, which API Gateway hands over as `[a b]`. Without the claim the caller may use none.
 * @param connectionsClaim undefined behind IAM
 */
export function accessOf({ requestContext }: AuthorizedEvent, connectionsClaim: string | undefined): Access {
  if (connectionsClaim === undefined) return { allows: () => true }
  const claim = authorizedBy(requestContext, 'jwt', 'claims')?.[connectionsClaim]
  const texts = [claim].flat().filter((each) => typeof each === 'string')
  const listed = new Set(texts.flatMap((each) => each.match(/[^\s,[\]"]+/g) ?? []))
  return { allows: (connection) => listed.has(connection) }
}

/**
 * Who calls, as API Gateway has authenticated them.
 * @param isLambda without an authorizer there is the local run, or an event that somebody sent by direct invocation
 */
export function callerOf({ requestContext }: AuthorizedEvent, { isLambda }: { readonly isLambda: boolean }): Caller {
  const { iss, sub } = authorizedBy(requestContext, 'jwt', 'claims') ?? {}
  if (typeof iss === 'string') return jwtCaller(iss, typeof sub === 'string' ? sub : '')
  const { userArn } = authorizedBy(requestContext, 'iam') ?? {}
  if (typeof userArn === 'string') return iamCaller(userArn)
  return isLambda ? knownCallers.direct : knownCallers.local
}

/** A member of what the authorizer found, as deep as the path leads. */
function authorizedBy(requestContext: object, ...path: readonly string[]): JsonObject | undefined {
  let found: unknown = requestContext
  for (const name of ['authorizer', ...path]) found = isJsonObject(found) ? found[name] : undefined
  return isJsonObject(found) ? found : undefined
}

/** @throws {AccessDeniedError} */
export function demandAccess(access: Access, connection: string): void {
  if (!access.allows(connection))
    throw new AccessDeniedError(
      `The caller has no access to the connection ${connection}. The connections claim of its JWT must list this name.`,
    )
}

/** The caller has no right to the connection. */
export class AccessDeniedError extends TokenwellError {
  readonly code = 'access_denied'

  override get publicMessage(): string {
    return this.message
  }
}
