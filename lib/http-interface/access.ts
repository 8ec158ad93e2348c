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
  const { authorizer } = requestContext as { authorizer?: { jwt?: { claims?: Record<string, unknown> } } }
  const claim = authorizer?.jwt?.claims?.[connectionsClaim]
  const texts = [claim].flat().filter((each) => typeof each === 'string')
  const listed = new Set(texts.flatMap((each) => each.match(/[^\s,[\]"]+/g) ?? []))
  return { allows: (connection) => listed.has(connection) }
}

/** @throws {AccessDeniedError} */
export function demandAccess(access: Access, connection: string): void {
  if (!access.allows(connection)) throw new AccessDeniedError(`No right to the connection ${connection}.`)
}

/** The caller has no right to the connection. */
export class AccessDeniedError extends TokenwellError {
  readonly code = 'access_denied'

  override get publicMessage(): string {
    return this.message
  }
}
