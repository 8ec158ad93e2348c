import type { ApiCallErrorCode } from '../../base/tokenwell-error.ts'
import type { Transport } from '../../configuration/transport.ts'
import { ProxyRefusedError } from './connector.ts'
import { UntrustedChainError, untrustedCodes } from './missing-issuer.ts'

/** What can go wrong between Tokenwell and a server. */
export type ConnectionFailureType = Exclude<
  ApiCallErrorCode,
  'destination_not_found' | 'http_response_incomplete' | 'http_response_body_size'
>

export interface ConnectionFailure {
  readonly type: ConnectionFailureType
  /** Whole sentences about the far end, with what to check. */
  readonly message: string
  /** Whether an immediate retry would fail again. */
  readonly isLasting?: boolean
}

const otherwiseUntrusted = /^(CERT_|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_EXCEEDED$|HOSTNAME_MISMATCH$|UNABLE_TO_)/

/** RFC 8446 section 6.2: a server's alert about a certificate is about the client's certificate, or its absence. */
const ofClientCertificates =
  /ALERT_(HANDSHAKE_FAILURE|CERTIFICATE_|(BAD|NO|UNSUPPORTED)_CERTIFICATE|UNKNOWN_CA|DECRYPT_ERROR|ACCESS_DENIED)/
/** Some servers, such as those of Node.js, close the connection without an alert. The alert of others can get lost when they close it. */
const mayBeOfClientCertificates = ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']

const nameErrors = ['ENOTFOUND', 'EAI_AGAIN']
const routeErrors = ['EHOSTUNREACH', 'ENETUNREACH']

/**
 * Translates what undici, node:tls and a proxy throw. Only the code of the original is kept, because the original may hold the
 * request.
 * @param farEnd the subject of the message, such as `The API at https://api.example.com`
 */
export function readConnectionFailure(
  error: unknown,
  { tls, proxy, connectTimeoutMilliseconds }: Transport,
  farEnd: string,
): ConnectionFailure {
  if (error instanceof ProxyRefusedError) {
    const { message, isLasting } = error
    return { type: 'destination_unavailable', message: `${farEnd} cannot be reached. ${message}`, isLasting }
  }
  const { code: given, name } = error as { readonly code?: unknown; readonly name?: string }
  const code = typeof given === 'string' ? given : ''
  if (untrustedCodes.includes(code)) {
    const ending = error instanceof UntrustedChainError ? ` ${error.ending}` : ''
    return certificateError(`${describeUnknownCa(code, tls, farEnd)}${ending}`)
  }

  const route = proxy ? ` through the proxy ${proxy.id}` : ''
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return certificateError(`${farEnd} sent a certificate that has expired. Renew the certificate on the server.`)
    case 'UNSPECIFIED':
      // node:tls has no code for these failures, and no other way to tell them apart.
      return certificateError(
        `${farEnd} sent a certificate that cannot be trusted, for example because its key or signature is too weak.`,
      )
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return certificateError(
        `${farEnd} sent a certificate that is not valid for the host name in its element. Check the host name.`,
      )
    case 'ERR_ADDRESS_NOT_PUBLIC':
      return {
        type: 'destination_ip_prohibited',
        message: `${farEnd} has no public address. A token answer named this host (hostFrom), so Tokenwell connects to public addresses only. Check the DNS records of the host.`,
        isLasting: true,
      }
    case 'UND_ERR_HEADERS_TIMEOUT':
      return {
        type: 'http_response_timeout',
        message: `${farEnd} did not answer in time. Check the server, or increase receiveTimeout.`,
      }
    case 'UND_ERR_BODY_TIMEOUT':
      return {
        type: 'connection_read_timeout',
        message: `${farEnd} stopped in the middle of its answer. Check the server, or increase receiveTimeout.`,
      }
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'ETIMEDOUT':
      return {
        type: 'connection_timeout',
        message: `${farEnd} cannot be reached${route} within ${connectTimeoutMilliseconds} ms (${code}). Check the network, or increase connectionTimeout.`,
      }
    case 'UND_ERR_HEADERS_OVERFLOW':
      return {
        type: 'http_response_header_section_size',
        message: `${farEnd} answered with headers that are too large. Check the server.`,
      }
  }
  if (otherwiseUntrusted.test(code))
    return certificateError(`${farEnd} sent a certificate that cannot be trusted (${code}).`)
  if (name === 'TimeoutError') return { type: 'http_response_timeout', message: `${farEnd} did not answer in time.` }
  if (name === 'HTTPParserError' || /^UND_ERR_(RES_|RESPONSE)/.test(code))
    return {
      type: 'http_protocol_error',
      message: `${farEnd} sent an answer that is not valid HTTP/1.1. Check the server.`,
    }
  return { type: typeOf(code), message: describeCode(code, farEnd, route) }
}

function certificateError(message: string): ConnectionFailure {
  return { type: 'tls_certificate_error', message, isLasting: true }
}

function describeUnknownCa(code: string, { trustStore }: Transport['tls'], farEnd: string): string {
  return trustStore
    ? `${farEnd} sent a certificate that no CA in the trust store ${trustStore} signed (${code}). Add the CA of the server to it, or let trustStoreRef name another keyStore.`
    : `${farEnd} sent a certificate of an unknown CA (${code}). Set trustStoreRef on the ssl element to a keyStore with its CA bundle.`
}

function describeCode(code: string, farEnd: string, route: string): string {
  const reason = code || 'no reason given'
  if (nameErrors.includes(code))
    return `${farEnd} cannot be reached${route}: its host name cannot be resolved (${code}). Check the spelling of the host name, the DNS, and whether proxyConfigRef must name a proxy.`
  if (routeErrors.includes(code))
    return `${farEnd} cannot be reached${route}: no network leads to its address (${code}). Check the network, and whether proxyConfigRef must name a proxy.`
  if (code === 'ECONNREFUSED')
    return `${farEnd} cannot be reached${route}: no server listens there (ECONNREFUSED). Check host and port, and that the server runs.`
  if (/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/.test(code))
    return `${farEnd} cannot be reached${route} (${reason}). It only supports TLS versions that sslProtocol on the ssl element excludes.`
  return ofClientCertificates.test(code) || mayBeOfClientCertificates.includes(code)
    ? `${farEnd} cannot be reached${route} (${reason}). If it requires a client certificate, set keyStoreRef on the ssl element to one that it accepts.`
    : `${farEnd} cannot be reached${route} (${reason}).`
}

function typeOf(code: string): ConnectionFailureType {
  if (nameErrors.includes(code)) return 'dns_error'
  if (routeErrors.includes(code)) return 'destination_ip_unroutable'
  if (code === 'ECONNREFUSED') return 'connection_refused'
  if (/^ERR_SSL_.*ALERT/.test(code)) return 'tls_alert_received'
  if (/^(ERR_SSL_|ERR_TLS_|EPROTO$)/.test(code)) return 'tls_protocol_error'
  return 'connection_terminated'
}
