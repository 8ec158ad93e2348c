/** @param signal calls it off: it is rejected, or never ends */
export type Pause = (milliseconds: number, signal?: AbortSignal) => Promise<unknown>

/** The promise's outcome, or after that many milliseconds that of `late`. No timer is left behind. */
export async function inTime<T>(
  promise: Promise<T>,
  milliseconds: number,
  pause: Pause,
  late: () => T | never,
): Promise<T> {
  const settled = new AbortController()
  const tooLate = pause(Math.max(0, milliseconds), settled.signal).then(late)
  tooLate.catch(() => {})
  try {
    return await Promise.race([promise, tooLate])
  } finally {
    settled.abort('settled')
  }
}
