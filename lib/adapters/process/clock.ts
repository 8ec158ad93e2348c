import { randomBytes } from 'node:crypto'

/**
 * A clock that never runs backwards, in milliseconds since the epoch. If the system clock is set back, this clock continues from its
 * last time, because otherwise expired tokens would become valid again. It follows the system clock forward.
 * @param monotonic milliseconds since any moment, from a clock that is never set
 */
export function createSteadyClock(
  system: () => number = Date.now,
  monotonic: () => number = () => performance.now(),
): () => number {
  let last = { time: system(), reading: monotonic() }
  return function now() {
    const reading = monotonic()
    const time = Math.max(system(), last.time + Math.max(0, Math.floor(reading - last.reading)))
    if (time > last.time) last = { time, reading }
    return time
  }
}

/** Waits with the system's timers, or until the signal aborts. */
export function timerPause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  // Nearly every pause is cancelled. `node:timers/promises` would make an error with a stack trace for each.
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, milliseconds)
    signal?.addEventListener('abort', end)
  })
}

/** 16 random bytes in base64url, new at each call. */
export function randomId(): string {
  return randomBytes(16).toString('base64url')
}
