/*
 * Times in records come from other clocks, and a process may have been wrong by an hour or a century when it wrote them. What can't
 * be true is not believed: a bound that moved with the reader's clock would never be reached.
 */

/** Clocks of a fleet differ by less. */
export const clockToleranceMilliseconds = 60_000

/** A moment in the past. Undefined where it lies ahead by more than clocks differ. */
export function pastTime(at: unknown, now: number): number | undefined {
  return endWithin(at, now, 0)
}

/** The end of something that lasts so long at most. Undefined where it is further away than that, by more than clocks differ. */
export function endWithin(end: unknown, now: number, longestMilliseconds: number): number | undefined {
  const latest = now + longestMilliseconds + clockToleranceMilliseconds
  return isNumber(end) && end <= latest ? end : undefined
}

/** A whole number within these bounds: the nearest one. Undefined for what isn't a number. */
export function wholeNumberWithin(value: unknown, least: number, most: number): number | undefined {
  return isNumber(value) ? Math.min(Math.max(Math.floor(value), least), most) : undefined
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}
