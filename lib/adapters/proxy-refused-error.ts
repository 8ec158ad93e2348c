/** A proxy opens no tunnel. The message completes "The far end …". */
export class ProxyRefusedError extends Error {
  readonly code = 'ERR_PROXY_REFUSED'
  override readonly name = 'ProxyRefusedError'
  /** Whether asking again at once is of no use, and may lock the proxy's user out. */
  readonly isLasting: boolean

  constructor(message: string, { isLasting = false }: { readonly isLasting?: boolean } = {}) {
    super(message)
    this.isLasting = isLasting
  }
}
