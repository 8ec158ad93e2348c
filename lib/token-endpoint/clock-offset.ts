import type { Validity } from '../assertion/validity.ts'

/** A `Date` is cut to its second. */
const dateResolutionMilliseconds = 1_000

/**
 * How far the server's clock is ahead of the one that the assertion was made by, in milliseconds, where its answer shows
 * that it can't have accepted the assertion; undefined where the clocks are not to blame.
 * @param date the server's, of the answer that refused
 * @param now by our clock, when the answer came
 */
export function clockOffset(validity: Validity, date: number | undefined, now: number): number | undefined {
  if (date === undefined) return undefined
  const isTooEarly = date + dateResolutionMilliseconds <= validity.from
  const isTooLate = date >= validity.until
  return isTooEarly || isTooLate ? date + dateResolutionMilliseconds / 2 - now : undefined
}
