import type { Pause } from '../token/in-time.ts'

/** By the system's timers. One that is called off never ends: most are, and an error each time would be what they cost. */
export const timerPause: Pause = (milliseconds, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds)
    signal?.addEventListener('abort', () => clearTimeout(timer), { once: true })
  })
