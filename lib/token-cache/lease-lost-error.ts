/** Somebody else holds the lease by now, or the token in hand was invalidated: what was begun under it counts no more. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError'
}
