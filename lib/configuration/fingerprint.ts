import { createHash } from 'node:crypto'
import type { AssertionConfiguration, Connection } from './connection.ts'

/**
 * Of all in a connection's elements that can change which token is issued, how long it is used, or who may ask for it: the
 * same for the same elements. Keys are none of it, nor are the API, timeouts, TLS and proxies: tokens in hand stay good.
 */
export function fingerprintOf(connection: Connection): string {
  const { grantType, clientId, clientAuthentication, authorizationServer, parameters, requestMay } = connection
  const { tokenEndpoint, issuer, lifetime } = authorizationServer
  const identity = {
    ...{ grantType, clientId, tokenEndpoint, issuer, lifetime, parameters, requestMay },
    ...('assertion' in clientAuthentication && assertionIdentity(clientAuthentication.assertion)),
  }
  return createHash('sha256').update(canonicalJson(identity)).digest('base64url')
}

function assertionIdentity({ issuer, subject, audiences, scope, claims }: AssertionConfiguration): object {
  return { assertion: { issuer, subject, audiences, scope, claims } }
}

/** The order in which members were written changes nothing. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  )
}
