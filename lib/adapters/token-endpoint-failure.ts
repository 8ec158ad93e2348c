import type { ResolvedAuthorizationServer } from '../configuration/connection.ts'
import { TimedOutError, UnreachableError, UnreadableAnswerError } from '../token-endpoint/token-endpoint-error.ts'
import { readConnectionFailure } from './connection-failure.ts'

/** What undici and node:tls throw, as an error of ours. */
export function describeFailure(error: unknown, server: ResolvedAuthorizationServer): Error {
  if (error instanceof UnreadableAnswerError) return error
  const { type, predicate, isLasting = false } = readConnectionFailure(error, server)
  const message = `The token endpoint of ${server.id} ${predicate}.`
  switch (type) {
    case 'connection_read_timeout':
    case 'http_response_timeout':
      return new TimedOutError(message)
    case 'http_protocol_error':
    case 'http_response_header_section_size':
      return new UnreadableAnswerError(message)
    case 'dns_error':
    case 'destination_unavailable':
    case 'destination_ip_unroutable':
    case 'connection_refused':
    case 'connection_terminated':
    case 'connection_timeout':
    case 'tls_certificate_error':
    case 'tls_protocol_error':
    case 'tls_alert_received':
      return new UnreachableError(message, { isLasting })
  }
}
