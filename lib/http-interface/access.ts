import { TokenwellError } from '../base/tokenwell-error.ts'
/** Which connections a caller may use. */
export type Access = (connection: string) => boolean

/** Of an HTTP API's event, payload format 2.0, what says who calls. */
interface AuthorizedEvent {
  readonly requestContext: object
}

/**
 * Behind IAM API Gateway has decided already: everything. Behind a JWT authorizer what the claim lists, by blanks or as a
 * list, which API Gateway hands over as `[a b]`; no claim, no connection.
 */
export function accessOf({ requestContext }: AuthorizedEvent, connectionsClaim: string | undefined): Access {
  if (connectionsClaim === undefined) return () => true
  const { authorizer } = requestContext as { authorizer?: { jwt?: { claims?: Record<string, unknown> } } }
  const claim = authorizer?.jwt?.claims?.[connectionsClaim]
  const texts = [claim].flat().filter((each) => typeof each === 'string')
  const listed = new Set(texts.flatMap((each) => each.match(/[^\s,[\]"]+/g) ?? []))
  return (connection) => listed.has(connection)
}

/** @throws {AccessDeniedError} */
export function demandAccess(access: Access, connection: string): void {
  if (!access(connection)) throw new AccessDeniedError(`No right to the connection ${connection}.`)
}

/** The caller has no right to the connection. */
export class AccessDeniedError extends TokenwellError {
  readonly code = 'access_denied'

  override get publicMessage(): string {
    return this.message
  }
}
