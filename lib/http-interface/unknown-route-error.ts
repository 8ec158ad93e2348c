/** There is no such route. */
export class UnknownRouteError extends Error {
  readonly code = 'unknown_route'
  override readonly name = 'UnknownRouteError'
}
