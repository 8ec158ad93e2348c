import { randomBytes } from 'node:crypto'

/**
 * A clock that never runs backwards: where the system's is set back, time goes on from where it was, or expired tokens
 * would come to life. Where it is set forward, or the process was frozen, it follows. Milliseconds since the epoch.
 * @param monotonic milliseconds from any moment on, never set
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

/** By the system's timers. */
export function timerPause(milliseconds: number, signal?: AbortSignal): Promise<void> {
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
