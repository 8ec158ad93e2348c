import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { AccessDeniedError } from './access-denied-error.ts'

/** Which connections a caller may use. */
export type Access = (connection: string) => boolean

/**
 * Behind IAM API Gateway has decided already: everything. Behind a JWT authorizer what the claim lists, by blanks or as a
 * list, which API Gateway hands over as `[a b]`; no claim, no connection.
 */
export function accessOf(event: APIGatewayProxyEventV2, connectionsClaim: string | undefined): Access {
  if (connectionsClaim === undefined) return () => true
  const { authorizer } = event.requestContext as { authorizer?: { jwt?: { claims?: Record<string, unknown> } } }
  const claim = authorizer?.jwt?.claims?.[connectionsClaim]
  const listed = new Set([claim].flat().flatMap((each) => String(each ?? '').match(/[^\s,[\]"]+/g) ?? []))
  return (connection) => listed.has(connection)
}

/** @throws {AccessDeniedError} */
export function demandAccess(access: Access, connection: string): void {
  if (!access(connection)) throw new AccessDeniedError(`No right to the connection ${connection}.`)
}
