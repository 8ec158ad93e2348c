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
