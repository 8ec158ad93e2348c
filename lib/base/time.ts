/** Ends after that many milliseconds, or immediately when the signal aborts. It never fails, and leaves no timer behind. */
export type Pause = (milliseconds: number, signal?: AbortSignal) => Promise<void>

/** The outcome of the promise, or the outcome of `late` after that many milliseconds. No timer is left behind. */
export async function inTime<T>(
  promise: Promise<T>,
  milliseconds: number,
  pause: Pause,
  late: () => T | never,
): Promise<T> {
  const settled = new AbortController()
  const timeUp = pause(Math.max(0, milliseconds), settled.signal).then(() =>
    settled.signal.aborted ? promise : late(),
  )
  try {
    return await Promise.race([promise, timeUp])
  } finally {
    // Without a reason, abort() would create an error with a stack that is never read.
    settled.abort('settled')
  }
}

/** The wait between two tries: full jitter, up to a limit that doubles from `firstMilliseconds` to `lastMilliseconds`. */
export interface Backoff {
  readonly firstMilliseconds: number
  readonly lastMilliseconds: number
}

/**
 * How long to wait before the next try, in milliseconds.
 * @param tries the number of earlier tries, from 0
 * @param random from 0 up to 1
 */
export function jitteredDelay({ firstMilliseconds, lastMilliseconds }: Backoff, tries: number, random: number): number {
  return random * Math.min(lastMilliseconds, firstMilliseconds * 2 ** tries)
}
