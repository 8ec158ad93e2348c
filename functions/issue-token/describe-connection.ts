import {
  type Connection,
  claimsFromRequestOf,
  isServed,
  type ServedConnection,
  type TokenConnection,
  takesPassword,
  tokensOf,
} from '../../lib/configuration/connection.ts'
import type { Finding } from '../../lib/configuration/finding.ts'
import { whyNotWarmed } from '../../lib/configuration/resolve-warming.ts'
import type { ConnectionStatus, Outcome } from '../../lib/get-token/connection-status.ts'
import type { ConnectionAnswer } from '../../lib/http-interface/answers.ts'

/** A connection in the answer of `GET /connections`. Shows no secret, and no name of a secret. */
export function describeConnection(status: ConnectionStatus, describe: (finding: Finding) => string): ConnectionAnswer {
  const { name, connection, isDisabled, findings, outcome, clockOffsetMilliseconds: offset } = status
  const lines = (severity: string) => findings.filter((finding) => finding.severity === severity).map(describe)
  return {
    connection: name,
    usable: connection !== undefined && !isDisabled,
    ...(isDisabled && { disabled: true }),
    ...(connection && describeConfiguration(connection)),
    ...(offset !== 0 && { clock_offset_seconds: Math.round(offset / 1000) }),
    mistakes: lines('mistake'),
    warnings: lines('warning'),
    ...describeOutcome(outcome),
  }
}

function describeConfiguration(connection: Connection): Partial<ConnectionAnswer> {
  const { api } = connection
  const tokens = tokensOf(connection)
  const [main] = tokens
  const basic = api?.basicAuthentication
  return {
    ...(api?.origin !== undefined && { api: `${api.origin}${api.basePath}` }),
    ...(api && 'hostFrom' in api && { api_hosts: api.hostFrom.within }),
    ...(basic && { basic_authentication: basic.id }),
    ...(main && describeToken(main)),
    ...(tokens.length > 0 && { tokens: tokens.map(describeCarriedToken) }),
  }
}

/** A token of the connection, by the id that callers name it by. */
function describeCarriedToken(token: TokenConnection): NonNullable<ConnectionAnswer['tokens']>[number] {
  const { authentication, carrier } = token
  return {
    authentication: authentication.id,
    kind: authentication.kind,
    header: carrier.header,
    scheme: carrier.isBearer ? 'Bearer' : '',
    ...describeToken(token),
  }
}

function describeToken(token: TokenConnection) {
  const { grant, parameters, warming } = token
  const claims = Object.keys(claimsFromRequestOf(grant))
  return {
    grant_type: grant.type,
    ...(isServed(token) && describeServer(token)),
    ...(parameters.scope.length > 0 && { scope: parameters.scope.join(' ') }),
    ...(parameters.resource.length > 0 && { resource: parameters.resource }),
    ...(parameters.audience && { audience: parameters.audience }),
    ...(takesPassword(grant) && { credentials_from: 'caller' }),
    ...(claims.length > 0 && { claims_from_request: claims }),
    warm: warming !== undefined && whyNotWarmed(grant) === undefined,
  }
}

function describeServer({ clientId, clientAuthentication, authorizationServer }: ServedConnection) {
  return {
    client_id: clientId,
    client_authentication: clientAuthentication.method,
    ...(authorizationServer.tokenEndpoint && { token_endpoint: authorizationServer.tokenEndpoint }),
    ...(authorizationServer.issuer && { issuer: authorizationServer.issuer }),
  }
}

function describeOutcome({ obtainedAt, failedAt, failure }: Outcome): Partial<ConnectionAnswer> {
  return {
    ...(obtainedAt !== undefined && { last_obtained_at: isoTime(obtainedAt) }),
    ...(failedAt !== undefined && { last_failed_at: isoTime(failedAt), last_failure: failure }),
  }
}

function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
