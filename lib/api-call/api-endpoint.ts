import { type ApiCallErrorCode, operatorFindsReason, TokenwellError } from '../base/tokenwell-error.ts'
import type { ProtectedApi } from '../configuration/connection.ts'
import type { Secret } from '../secret/secret.ts'

/** Port: makes one call to an API. It repeats nothing and follows no redirect. */
export interface ApiEndpoint {
  /**
   * The answer, whatever its status.
   * @throws {ApiCallError}
   * @throws {SecretError} if a certificate or password that the API's `tls` or `proxy` names can't be read
   * @throws {KeyStoreError} if a secret holds no certificate
   */
  send(api: ProtectedApi, request: ApiRequest, limits: ApiCallLimits): Promise<ApiAnswer>
}

export interface ApiRequest {
  /** By its name; no other one's requests go over the same sockets. */
  readonly connection: string
  readonly method: string
  /** Path and query, as they go over the wire. */
  readonly target: string
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly token: Secret
  readonly body?: Uint8Array
}

export interface ApiCallLimits {
  /** The longest wait without a byte from the API. */
  readonly receiveMilliseconds: number
  /** For the whole call, from opening a connection to the answer's last byte. */
  readonly totalMilliseconds: number
  /** The call uses no connection that has been idle for longer. */
  readonly maximumIdleMilliseconds: number
}

export interface ApiAnswer {
  readonly status: number
  /** By their names in lower case; several values of one name in their order. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body: Uint8Array
}

/** The most that Lambda hands over, of a request or an answer: a longer body fits in no encoding. */
export const maximumPayloadBytes = 6_291_556

interface ApiCallProgress {
  /** Whether the API may have done what it was asked to. */
  readonly wasSent: boolean
  /** Whether a connection that had been used before turned out to be dead, without a byte of an answer. */
  readonly wasDead?: boolean
}

/** The API gave no answer that can be passed on. The message names what to look at. */
export class ApiCallError extends TokenwellError {
  readonly code: ApiCallErrorCode
  readonly wasSent: boolean
  readonly wasDead: boolean

  constructor(code: ApiCallErrorCode, message: string, { wasSent, wasDead = false }: ApiCallProgress) {
    super(message)
    this.code = code
    this.wasSent = wasSent
    this.wasDead = wasDead
  }

  /** A caller has a right to know whether the API may have done what it was asked to. */
  override get publicMessage(): string {
    if (this.code === 'http_response_body_size') return this.message
    if (this.wasSent)
      return `The call to the API failed (${this.code}). The API may have acted on the request. ${operatorFindsReason}`
    return `The call to the API failed (${this.code}). The API did not get the request. ${operatorFindsReason}`
  }
}
