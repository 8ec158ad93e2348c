import { setImmediate as turn } from 'node:timers/promises'
import type { Pause } from '../../lib/token/in-time.ts'

/** A clock that stands still until a test moves it, and pauses that end by it. Milliseconds since the epoch. */
export interface VirtualTime {
  readonly now: () => number
  readonly pause: Pause
  /** Lets time pass, ending each pause at its moment. */
  advance(milliseconds: number): Promise<void>
  /** Sets the clock, as an administrator would: no pause ends by it. */
  jump(milliseconds: number): void
  /** Lets time pass until this is done. */
  until<T>(promise: Promise<T>): Promise<T>
}

/** More than any step of the product needs between two pauses. */
const turnsAtStandstill = 5

export function createVirtualTime(start = 1_800_000_000_000): VirtualTime {
  let time = start
  let pauses: { readonly at: number; readonly end: () => void }[] = []

  async function standStill(isDone: () => boolean = () => false): Promise<void> {
    for (let count = 0; count < turnsAtStandstill && !isDone(); count++) await turn()
  }

  async function endNextPause(latest: number): Promise<boolean> {
    const next = pauses.toSorted((a, b) => a.at - b.at)[0]
    if (!next || next.at > latest) return false
    pauses = pauses.filter((each) => each !== next)
    time = Math.max(time, next.at)
    next.end()
    return true
  }

  return {
    now: () => time,
    pause: (milliseconds, signal) =>
      new Promise<void>((resolve) => {
        const each = { at: time + milliseconds, end: resolve }
        pauses.push(each)
        signal?.addEventListener('abort', () => {
          pauses = pauses.filter((other) => other !== each)
        })
      }),
    async advance(milliseconds) {
      const latest = time + milliseconds
      do await standStill()
      while (await endNextPause(latest))
      time = Math.max(time, latest)
    },
    jump(milliseconds) {
      time += milliseconds
    },
    async until(promise) {
      let isDone = false
      const done = () => {
        isDone = true
      }
      promise.then(done, done)
      while (!isDone) {
        await standStill(() => isDone)
        if (!isDone && !(await endNextPause(Infinity)) && !isDone) await standStill(() => isDone)
      }
      return promise
    },
  }
}
