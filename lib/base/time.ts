/** Ends after that many milliseconds, or at once when the signal aborts. It never fails, and leaves no timer behind. */
export type Pause = (milliseconds: number, signal?: AbortSignal) => Promise<void>

/** The promise's outcome, or after that many milliseconds the outcome of `late`. No timer is left behind. */
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
    // Without a reason it would make an error, with a stack, that nobody reads.
    settled.abort('settled')
  }
}

/** Between two tries: full jitter up to a limit that doubles from the first to the last. */
export interface Backoff {
  readonly firstMilliseconds: number
  readonly lastMilliseconds: number
}

/**
 * How long to wait before the next try, in milliseconds.
 * @param tries how many there were before this one, from 0 up
 * @param random from 0 up to 1
 */
export function jitteredDelay({ firstMilliseconds, lastMilliseconds }: Backoff, tries: number, random: number): number {
  return random * Math.min(lastMilliseconds, firstMilliseconds * 2 ** tries)
}
