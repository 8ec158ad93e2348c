import { callersTokens, type TokenRequest } from '../access-token/token.ts'
import { authorizationDetails } from '../configuration/authorization-details.ts'
import { needsUser, type ServedConnection, takesPassword } from '../configuration/connection.ts'
import type { Fault } from './token-endpoint-error.ts'

/** RFC 8693 section 2.2.2 has `invalid_request`. Servers also use the code for other grants, and that of RFC 6750 section 3.1. */
const refusalsOfTokens: readonly string[] = ['invalid_request', 'invalid_grant', 'invalid_token']

/** The token server of an `authToken` has a status in place of a code. These are about the request, not about its credentials. */
const refusalsOfRequests: readonly string[] = [400, 404, 409, 415, 422].map((status) => `http_${status}`)

/** These say that the address or the form of the body is wrong, for any user. */
const refusalsOfForm: readonly string[] = [404, 415].map((status) => `http_${status}`)

/** What caused a refusal with this code (RFC 6749 section 5.2, RFC 8707 section 2). */
export function faultOf(
  error: string,
  { grant, clientAuthentication }: ServedConnection,
  request: TokenRequest,
): Fault {
  // Such a server has no common codes. What it refuses may be the user or the password, whatever its code is.
  if (grant.type === 'authToken' && takesPassword(grant)) return refusalsOfForm.includes(error) ? 'elements' : 'caller'
  // A client without credentials has nothing else that a server could refuse.
  const isOfToken =
    refusalsOfTokens.includes(error) || (error === 'invalid_client' && clientAuthentication.method === 'none')
  if (isOfToken && callersTokens(request).length > 0) return 'caller'
  switch (error) {
    case 'invalid_grant':
      return needsUser(grant) || request.claims ? 'caller' : 'client'
    case 'invalid_scope':
      return request.scope === undefined ? 'elements' : 'caller'
    case 'invalid_target':
      return request.resource === undefined && request.audience === undefined ? 'elements' : 'caller'
    case 'invalid_authorization_details':
      return request.further[authorizationDetails] === undefined ? 'elements' : 'caller'
    case 'invalid_request':
      return Object.keys(request.further).length > 0 ? 'caller' : 'client'
    default:
      if (grant.type !== 'authToken' || !refusalsOfRequests.includes(error)) return 'client'
      return Object.keys(request.further).length > 0 && !refusalsOfForm.includes(error) ? 'caller' : 'elements'
  }
}
