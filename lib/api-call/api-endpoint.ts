import { type ApiCallErrorCode, operatorFindsReason, TokenwellError } from '../base/tokenwell-error.ts'
import type { ProtectedApi } from '../configuration/api.ts'
import type { Secret } from '../secret/secret.ts'

/** Port: makes one call to an API. It does not repeat calls or follow redirects. */
export interface ApiEndpoint {
  /**
   * Returns the answer, whatever its status is.
   * @throws {ApiCallError}
   * @throws {SecretError} if a certificate or password for the API's `tls` or `proxy` can't be read
   * @throws {KeyStoreError} if such a secret holds no certificate
   */
  send(api: ProtectedApi, request: ApiRequest, limits: ApiCallLimits): Promise<ApiAnswer>
}

export interface ApiRequest {
  /** The name of the connection. Requests of other connections don't use the same sockets. */
  readonly connection: string
  readonly method: string
  /** Path and query, as sent to the API. */
  readonly target: string
  /** The names are in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** The headers that authenticate the call, by their names in lower case. They replace those of the caller. */
  readonly credentials: Readonly<Record<string, Secret>>
  readonly body?: Uint8Array
}

export interface ApiCallLimits {
  /** The longest wait without a byte from the API. */
  readonly receiveMilliseconds: number
  /** The limit for the whole call, from opening a connection to the last byte of the answer. */
  readonly totalMilliseconds: number
  /** The call does not use a TCP connection that has been idle for longer. */
  readonly maximumIdleMilliseconds: number
}

export interface ApiAnswer {
  readonly status: number
  /** The names are in lower case. Several values of one name keep their order. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body: Uint8Array
}

/** The size limit of Lambda for a request or an answer. A longer body does not fit in any encoding. */
export const maximumPayloadBytes = 6_291_556

/** The methods that API Gateway passes on to an `ANY` route. */
export const callMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

interface ApiCallProgress {
  /** Whether the API may have acted on the request. */
  readonly wasSent: boolean
  /** Whether a reused TCP connection turned out to be closed, before any byte of an answer. */
  readonly wasDead?: boolean
}

/** The API gave no answer that can be returned. The message says what to check. */
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

  /** A caller must know whether the API may have acted on the request, to decide whether to repeat it. */
  override get publicMessage(): string {
    if (this.code === 'http_response_body_size') return this.message
    if (this.wasSent)
      return `The call to the API failed (${this.code}). The API may have acted on the request. ${operatorFindsReason}`
    return `The call to the API failed (${this.code}). The API did not get the request. ${operatorFindsReason}`
  }
}
