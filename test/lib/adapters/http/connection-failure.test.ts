import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ConnectionFailure, readConnectionFailure } from '../../../../lib/adapters/http/connection-failure.ts'
import { ProxyRefusedError } from '../../../../lib/adapters/http/connector.ts'
import type { Transport } from '../../../../lib/configuration/transport.ts'

/* Codes that no server on this machine can cause reliably. The adapters' tests get the other codes from real servers. */

const direct: Transport = {
  tls: { minimumVersion: 'TLSv1.2' },
  connectTimeoutMilliseconds: 700,
  receiveTimeoutMilliseconds: 2_000,
}
const proxied: Transport = { ...direct, proxy: { id: 'theProxy', host: 'proxy.example', port: 3128 } }

function failureOf(code: string | undefined, transport = direct): ConnectionFailure {
  const error = Object.assign(new Error('the request, and all that it holds'), { code })
  return readConnectionFailure(error, transport, 'The far end')
}

for (const [code, type] of Object.entries({
  ENOTFOUND: 'dns_error',
  EAI_AGAIN: 'dns_error',
  EHOSTUNREACH: 'destination_ip_unroutable',
  ENETUNREACH: 'destination_ip_unroutable',
  ECONNREFUSED: 'connection_refused',
  ETIMEDOUT: 'connection_timeout',
  ECONNRESET: 'connection_terminated',
  EPIPE: 'connection_terminated',
  UND_ERR_SOCKET: 'connection_terminated',
  UND_ERR_HEADERS_TIMEOUT: 'http_response_timeout',
  UND_ERR_BODY_TIMEOUT: 'connection_read_timeout',
  UND_ERR_HEADERS_OVERFLOW: 'http_response_header_section_size',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'http_protocol_error',
  CERT_NOT_YET_VALID: 'tls_certificate_error',
  CERT_REVOKED: 'tls_certificate_error',
  CERT_CHAIN_TOO_LONG: 'tls_certificate_error',
  INVALID_CA: 'tls_certificate_error',
  INVALID_PURPOSE: 'tls_certificate_error',
  PATH_LENGTH_EXCEEDED: 'tls_certificate_error',
  UNSPECIFIED: 'tls_certificate_error',
  UNABLE_TO_GET_ISSUER_CERT: 'tls_certificate_error',
  ERR_SSL_WRONG_VERSION_NUMBER: 'tls_protocol_error',
  EPROTO: 'tls_protocol_error',
  ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR: 'tls_alert_received',
  'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE': 'tls_alert_received',
}))
  test(`${code} is ${type}, and the message shows nothing of the error except its code`, () => {
    for (const transport of [direct, proxied]) {
      const failure = failureOf(code, transport)
      assert.equal(failure.type, type)
      assert.equal(failure.isLasting ?? false, type === 'tls_certificate_error')
      assert.doesNotMatch(failure.message, /the request/)
    }
  })

test('an error without a code, or with a number as code, is a terminated connection', () => {
  for (const error of ['a text', new Error('some reason'), Object.assign(new Error(), { code: 23 })]) {
    const { type, message } = readConnectionFailure(error, direct, 'The far end')
    assert.equal(type, 'connection_terminated')
    assert.equal(message, 'The far end cannot be reached (no reason given).')
  }
})

test('the message about a time-out names the attribute to change, and the proxy if there is one', () => {
  assert.equal(
    failureOf('ETIMEDOUT').message,
    'The far end cannot be reached within 700 ms (ETIMEDOUT). Check the network, or increase connectionTimeout.',
  )
  assert.match(
    failureOf('ETIMEDOUT', proxied).message,
    /^The far end cannot be reached through the proxy theProxy within 700 ms \(ETIMEDOUT\)\. /,
  )
})

test('the message about a server that is not found, not routed or not listening says so, and what to check', () => {
  assert.equal(
    failureOf('ENOTFOUND').message,
    'The far end cannot be reached: its host name cannot be resolved (ENOTFOUND). Check the spelling of the host name, the DNS, and whether proxyConfigRef must name a proxy.',
  )
  assert.equal(
    failureOf('ENETUNREACH').message,
    'The far end cannot be reached: no network leads to its address (ENETUNREACH). Check the network, and whether proxyConfigRef must name a proxy.',
  )
  assert.equal(
    failureOf('ECONNREFUSED', proxied).message,
    'The far end cannot be reached through the proxy theProxy: no server listens there (ECONNREFUSED). Check host and port, and that the server runs.',
  )
})

test('the message about a certificate that no CA in the trust store signed names the trust store, and what to do', () => {
  const tls = { ...direct.tls, trustStore: 'tokenwell/test/trust' }
  assert.equal(
    failureOf('UNABLE_TO_VERIFY_LEAF_SIGNATURE', { ...direct, tls }).message,
    'The far end sent a certificate that no CA in the trust store tokenwell/test/trust signed (UNABLE_TO_VERIFY_LEAF_SIGNATURE). Add the CA of the server to it, or let trustStoreRef name another keyStore.',
  )
})

test("the message about a server's alert on certificates names keyStoreRef", () => {
  for (const alert of [
    'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
    'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE',
    'ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED',
    'ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN',
    'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE',
    'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
    'ERR_SSL_TLSV1_ALERT_ACCESS_DENIED',
    'ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR',
  ])
    assert.match(failureOf(alert).message, /keyStoreRef/, alert)
  for (const other of [
    'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR',
    'ECONNREFUSED',
    'ENOTFOUND',
    'ERR_SSL_WRONG_VERSION_NUMBER',
  ])
    assert.doesNotMatch(failureOf(other).message, /keyStoreRef/, other)
})

test('the message contains the sentence about a proxy that rejects CONNECT', () => {
  const error = new ProxyRefusedError('The proxy theProxy rejected CONNECT with status 403.')
  assert.deepEqual(readConnectionFailure(error, proxied, 'The far end'), {
    type: 'destination_unavailable',
    message: 'The far end cannot be reached. The proxy theProxy rejected CONNECT with status 403.',
    isLasting: false,
  })
})
