import type { Pause } from '../token/in-time.ts'

/** By the system's timers. Most are called off, which costs neither an error nor a signal. */
export const timerPause: Pause = (milliseconds, unless) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds)
    const callOff = () => clearTimeout(timer)
    unless?.then(callOff, callOff)
  })
