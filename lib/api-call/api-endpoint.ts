import type { ProtectedApi } from '../configuration/connection.ts'
import type { Secret } from '../secret/secret.ts'

/** Port: makes one call to an API. It repeats nothing and follows no redirect. */
export interface ApiEndpoint {
  /**
   * The answer, whatever its status.
   * @throws {ApiCallError}
   * @throws {SecretError} when a certificate or password that the API's `tls` or `proxy` names can't be had
   * @throws {KeyStoreError} when a secret holds no certificate
   */
  send(api: ProtectedApi, request: ApiRequest, limits: ApiCallLimits): Promise<ApiAnswer>
}

export interface ApiRequest {
  readonly method: string
  /** Path and query, as they go over the wire. */
  readonly target: string
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly token: Secret
  readonly body?: Uint8Array
}

export interface ApiCallLimits {
  /** Without a sign of life from the API. */
  readonly receiveMilliseconds: number
  /** Of everything together, from opening a connection to the answer's last byte. */
  readonly totalMilliseconds: number
  /** A connection that nobody has used for so long is not used for this call. */
  readonly maximumIdleMilliseconds: number
}

export interface ApiAnswer {
  readonly status: number
  /** By their names in lower case; several values of one name in their order. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body: Uint8Array
}

/** What Lambda hands over at most, a request or an answer: a longer body fits in no encoding. */
export const maximumPayloadBytes = 6_291_556

/** What came of a call that brought no answer, by its error type of RFC 9209 section 2.3. */
export type ApiCallFailure =
  | 'dns_error'
  | 'destination_unavailable'
  | 'destination_ip_unroutable'
  | 'connection_refused'
  | 'connection_terminated'
  | 'connection_timeout'
  | 'connection_read_timeout'
  | 'tls_protocol_error'
  | 'tls_certificate_error'
  | 'tls_alert_received'
  | 'http_response_incomplete'
  | 'http_response_body_size'
  | 'http_response_header_section_size'
  | 'http_response_timeout'
  | 'http_protocol_error'

interface ApiCallProgress {
  /** Whether the API may have done what it was asked to. */
  readonly wasSent: boolean
  /** Whether a connection that had been used before turned out to be dead, without a byte of an answer. */
  readonly wasDead?: boolean
}

/** The API gave no answer that can be passed on. The message names what to look at. */
export class ApiCallError extends Error {
  readonly code: ApiCallFailure
  override readonly name = 'ApiCallError'
  readonly wasSent: boolean
  readonly wasDead: boolean

  constructor(code: ApiCallFailure, message: string, { wasSent, wasDead = false }: ApiCallProgress) {
    super(message)
    this.code = code
    this.wasSent = wasSent
    this.wasDead = wasDead
  }
}
