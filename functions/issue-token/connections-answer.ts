import type { Connection } from '../../lib/configuration/connection.ts'
import { describeFinding } from '../../lib/configuration/finding.ts'
import type { ListedConnection } from '../../lib/configuration/inspect-elements.ts'
import type { Outcome } from '../../lib/get-token/outcomes.ts'
import type { ClockOffsets } from '../../lib/token-endpoint/assertion.ts'

/** One connection as `GET /connections` shows it: what is configured and how it fares; no secret, not even a secret's name. */
export function describeConnection(
  { name, connection, findings }: ListedConnection,
  outcome: Outcome,
  clockOffsets: ClockOffsets,
): object {
  const offset = connection ? clockOffsets.of(connection.authorizationServer.id) : 0
  const lines = (severity: string) => findings.filter((finding) => finding.severity === severity).map(describeFinding)
  return {
    connection: name,
    usable: connection !== undefined,
    ...(connection && describeConfiguration(connection)),
    ...(offset !== 0 && { clock_offset_seconds: Math.round(offset / 1000) }),
    mistakes: lines('mistake'),
    warnings: lines('warning'),
    ...(outcome.obtainedAt !== undefined && { last_obtained_at: isoTime(outcome.obtainedAt) }),
    ...(outcome.failedAt !== undefined && { last_failed_at: isoTime(outcome.failedAt), last_failure: outcome.failure }),
  }
}

function describeConfiguration(connection: Connection): object {
  const { api, grantType, clientId, clientAuthentication, authorizationServer, parameters, warming } = connection
  return {
    ...(api && { api: `${api.origin}${api.basePath}` }),
    grant_type: grantType,
    client_id: clientId,
    client_authentication: clientAuthentication.method,
    token_endpoint: authorizationServer.tokenEndpoint,
    ...(authorizationServer.issuer && { issuer: authorizationServer.issuer }),
    ...(parameters.scope.length > 0 && { scope: parameters.scope.join(' ') }),
    ...(parameters.resource.length > 0 && { resource: parameters.resource }),
    ...(parameters.audience && { audience: parameters.audience }),
    warm: warming !== undefined,
  }
}

function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
