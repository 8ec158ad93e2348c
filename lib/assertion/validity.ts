/** When a server accepts an assertion, by its own clock. Milliseconds since the epoch. */
export interface Validity {
  readonly from: number
  readonly until: number
}
