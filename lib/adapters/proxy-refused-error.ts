/** A proxy opens no tunnel. The message completes "The far end …". */
export class ProxyRefusedError extends Error {
  readonly code = 'ERR_PROXY_REFUSED'
  override readonly name = 'ProxyRefusedError'
}
