/** The caller names a connection that isn't configured. */
export class UnknownConnectionError extends Error {
  readonly code = 'unknown_connection'
  override readonly name = 'UnknownConnectionError'

  constructor(connection: string) {
    super(`There is no connection ${JSON.stringify(connection)}; GET /connections lists what is configured.`)
  }
}
