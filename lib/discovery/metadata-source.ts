import type { ProtectedApi } from '../configuration/api.ts'
import type { ServerToDiscover } from '../configuration/connection.ts'

/** Port: reads a document that a server publishes about itself. It makes no retry and follows no redirect. */
export interface MetadataSource {
  /**
   * Resolves with the answer, whatever its status. It reads at most 64 KiB, in at most 5 s.
   * @throws {UnreachableError} when no connection could be opened
   * @throws {TimedOutError} when the answer didn't come in time
   * @throws {UnreadableAnswerError} when the answer isn't valid HTTP, or is too large
   * @throws {SecretError} when a certificate that `tls` names can't be read
   * @throws {KeyStoreError} when it can't be used, or not for that host
   */
  get(request: MetadataRequest): Promise<MetadataAnswer>
}

export interface MetadataRequest {
  /** How the server is reached. */
  readonly server: ServerToDiscover | ProtectedApi
  /** On the host of the issuer, or of the API. */
  readonly url: string
}

export interface MetadataAnswer {
  readonly status: number
  /** `WWW-Authenticate`, unchanged. */
  readonly challenge?: string
  /** Undefined if the body is not UTF-8. */
  readonly body: string | undefined
}

/** The largest document that is read. */
export const maximumMetadataBytes = 64 * 1024

/** The longest time for one document, from opening the connection to its last byte. */
export const longestMetadataMilliseconds = 5_000
