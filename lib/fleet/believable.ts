/*
 * Times in records come from other clocks, and the clock of a writer may have been wrong by an hour or a century. An impossible time is
 * ignored. To replace it with the latest possible time would not help: that time moves with the reader's clock and is never reached.
 */

/** The clocks of a fleet are assumed to differ by less than this. */
export const clockToleranceMilliseconds = 60_000

/** A time in the past. Undefined where it is ahead of `now` by more than the tolerance. */
export function pastTime(at: unknown, now: number): number | undefined {
  return endWithin(at, now, 0)
}

/** The end of something that lasts at most `longestMilliseconds`. Undefined where it is later than that by more than the tolerance. */
export function endWithin(end: unknown, now: number, longestMilliseconds: number): number | undefined {
  const latest = now + longestMilliseconds + clockToleranceMilliseconds
  return isNumber(end) && end <= latest ? end : undefined
}

/** The nearest whole number within the bounds. Undefined where the value isn't a number. */
export function wholeNumberWithin(value: unknown, least: number, most: number): number | undefined {
  return isNumber(value) ? Math.min(Math.max(Math.floor(value), least), most) : undefined
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}
