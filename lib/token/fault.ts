import type { Connection } from '../configuration/connection.ts'
import type { Fault } from '../token-endpoint/token-endpoint-error.ts'
import type { TokenRequest } from './token-request.ts'

/** Whose word it was that the server refuses with this code (RFC 6749 section 5.2, RFC 8707 section 2). */
export function faultOf(error: string, { grantType }: Connection, request: TokenRequest): Fault {
  switch (error) {
    case 'invalid_grant':
      return grantType === 'password' ? 'caller' : 'client'
    case 'invalid_scope':
      return request.scope === undefined ? 'elements' : 'caller'
    case 'invalid_target':
      return request.resource === undefined && request.audience === undefined ? 'elements' : 'caller'
    case 'invalid_request':
      return Object.keys(request.further).length > 0 ? 'caller' : 'client'
    default:
      return 'client'
  }
}
