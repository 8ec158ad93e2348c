import { type Caller, iamCaller, jwtCaller, knownCallers } from '../access-token/caller.ts'
import { isJsonObject, type JsonObject } from '../base/decoding.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'

/** Which connections a caller may use. */
export interface Access {
  allows(connection: string): boolean
}

/** The part of an HTTP API event, payload format 2.0, that identifies the caller. */
interface AuthorizedEvent {
  readonly requestContext: object
}

/**
 * Behind IAM, API Gateway has decided already, and the caller may use every connection. Behind a JWT authorizer, the claim lists
 * the connections, separated by spaces or as a list, which API Gateway passes on as `[a b]`. Without the claim the caller has no
 * access.
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
 * The caller that API Gateway has authenticated.
 * @param isLambda without an authorizer, the event comes from the local run or, on Lambda, from a direct invocation
 */
export function callerOf({ requestContext }: AuthorizedEvent, { isLambda }: { readonly isLambda: boolean }): Caller {
  const { iss, sub } = authorizedBy(requestContext, 'jwt', 'claims') ?? {}
  if (typeof iss === 'string') return jwtCaller(iss, typeof sub === 'string' ? sub : '')
  const { userArn } = authorizedBy(requestContext, 'iam') ?? {}
  if (typeof userArn === 'string') return iamCaller(userArn)
  return isLambda ? knownCallers.direct : knownCallers.local
}

/** The member of the authorizer's result at this path. */
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

/** The caller may not use the connection. */
export class AccessDeniedError extends TokenwellError {
  readonly code = 'access_denied'

  override get publicMessage(): string {
    return this.message
  }
}
