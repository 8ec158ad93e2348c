/** Kept back from the function's time-out, so that there is time to answer with an error of our own. */
const reserveMilliseconds = 500

/** Lambda's context, as far as it tells how long the function may run. */
export interface TimeLeft {
  getRemainingTimeInMillis(): number
}

/**
 * By when the answer has to be there, in milliseconds since the epoch.
 * @param longestMilliseconds what whoever waits for the function gives it
 */
export function deadlineOf(context: TimeLeft, now: number, longestMilliseconds: number): number {
  return now + Math.min(longestMilliseconds, context.getRemainingTimeInMillis() - reserveMilliseconds)
}
