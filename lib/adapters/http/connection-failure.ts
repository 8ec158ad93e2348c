import type { ApiCallErrorCode } from '../../base/tokenwell-error.ts'
import type { Transport } from '../../configuration/connection.ts'
import { ProxyRefusedError } from './connector.ts'
import { UntrustedChainError, untrustedCodes } from './missing-issuer.ts'

/** What can go wrong on the way. */
export type ConnectionFailureType = Exclude<ApiCallErrorCode, 'http_response_incomplete' | 'http_response_body_size'>

export interface ConnectionFailure {
  readonly type: ConnectionFailureType
  /** Completes "The far end …". */
  readonly predicate: string
  /** Whether trying again at once is of no use. */
  readonly isLasting?: boolean
}

const otherwiseUntrusted = /^(CERT_|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_EXCEEDED$|HOSTNAME_MISMATCH$|UNABLE_TO_)/

/** RFC 8446 section 6.2: what a server says of a certificate is of the client's, or of its absence. */
const ofClientCertificates =
  /ALERT_(HANDSHAKE_FAILURE|CERTIFICATE_|(BAD|NO|UNSUPPORTED)_CERTIFICATE|UNKNOWN_CA|DECRYPT_ERROR|ACCESS_DENIED)/
/** Some servers, as those of Node.js, say nothing and hang up; and what others say gets lost when they do. */
const mayBeOfClientCertificates = ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']

/** What undici, node:tls and a proxy throw. Of the original only its code is kept: it may hold the request. */
export function readConnectionFailure(
  error: unknown,
  { tls, proxy, connectTimeoutMilliseconds }: Transport,
): ConnectionFailure {
  if (error instanceof ProxyRefusedError)
    return { type: 'destination_unavailable', predicate: error.message, isLasting: error.isLasting }
  const { code: given, name } = error as { readonly code?: unknown; readonly name?: string }
  const code = typeof given === 'string' ? given : ''
  if (untrustedCodes.includes(code)) {
    const ending = error instanceof UntrustedChainError ? `; ${error.ending}` : ''
    return certificateError(`${describeUnknownCa(code, tls)}${ending}`)
  }

  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return certificateError('shows a certificate that has expired')
    case 'UNSPECIFIED':
      // What node:tls has no code for, and no other way to tell.
      return certificateError("shows a certificate that can't be trusted, as when its key or signature is too weak")
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return certificateError('shows a certificate for another host name than the one of its element')
    case 'UND_ERR_HEADERS_TIMEOUT':
      return { type: 'http_response_timeout', predicate: "didn't answer in time; see receiveTimeout" }
    case 'UND_ERR_BODY_TIMEOUT':
      return { type: 'connection_read_timeout', predicate: 'stopped in the middle of its answer; see receiveTimeout' }
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'ETIMEDOUT':
      return {
        type: 'connection_timeout',
        predicate: `can't be reached${through(proxy)} (${code}) in ${connectTimeoutMilliseconds} ms; see connectionTimeout`,
      }
    case 'UND_ERR_HEADERS_OVERFLOW':
      return { type: 'http_response_header_section_size', predicate: 'answers with headers that are too large' }
  }
  if (otherwiseUntrusted.test(code)) return certificateError(`shows a certificate that can't be trusted (${code})`)
  if (name === 'TimeoutError') return { type: 'http_response_timeout', predicate: "didn't answer in time" }
  if (name === 'HTTPParserError' || /^UND_ERR_(RES_|RESPONSE)/.test(code))
    return { type: 'http_protocol_error', predicate: "doesn't speak HTTP/1.1 as it should" }
  return { type: typeOf(code), predicate: describeCode(code, proxy) }
}

function certificateError(predicate: string): ConnectionFailure {
  return { type: 'tls_certificate_error', predicate, isLasting: true }
}

function through(proxy: Transport['proxy']): string {
  return proxy ? ` through the proxy ${proxy.id}` : ''
}

function describeUnknownCa(code: string, { trustStore }: Transport['tls']): string {
  return trustStore
    ? `shows a certificate that no CA of the trust store ${trustStore} has signed (${code})`
    : `shows a certificate of an unknown CA (${code}): name its CA bundle by trustStoreRef on the ssl element`
}

function describeCode(code: string, proxy: Transport['proxy']): string {
  const reason = `can't be reached${through(proxy)} (${code || 'no reason given'})`
  if (/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/.test(code))
    return `${reason}: it speaks TLS only in versions that the sslProtocol of the ssl element rules out`
  return ofClientCertificates.test(code) || mayBeOfClientCertificates.includes(code)
    ? `${reason}: where it asks for a client certificate, name one that it knows by keyStoreRef on the ssl element`
    : reason
}

function typeOf(code: string): ConnectionFailureType {
  if (['ENOTFOUND', 'EAI_AGAIN'].includes(code)) return 'dns_error'
  if (['EHOSTUNREACH', 'ENETUNREACH'].includes(code)) return 'destination_ip_unroutable'
  if (code === 'ECONNREFUSED') return 'connection_refused'
  if (/^ERR_SSL_.*ALERT/.test(code)) return 'tls_alert_received'
  if (/^(ERR_SSL_|ERR_TLS_|EPROTO$)/.test(code)) return 'tls_protocol_error'
  return 'connection_terminated'
}
