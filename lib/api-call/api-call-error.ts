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
