import { setImmediate as turn } from 'node:timers/promises'
import type { Pause } from '../../../lib/base/time.ts'
import { createPauseQueue } from './pause-queue.ts'

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

/**
 * @param turns of the event loop between two pauses; one is enough where nothing is waited for but this clock
 */
export function createVirtualTime(start = 1_800_000_000_000, turns = turnsAtStandstill): VirtualTime {
  let time = start
  const pauses = createPauseQueue()

  async function standStill(isDone: () => boolean = () => false): Promise<void> {
    for (let count = 0; count < turns && !isDone(); count++) await turn()
  }

  function endNextPause(latest: number): boolean {
    const next = pauses.takeNext(latest)
    if (!next) return false
    time = Math.max(time, next.at)
    next.end()
    return true
  }

  return {
    now: () => time,
    pause: (milliseconds, unless) =>
      new Promise<void>((end) => {
        const queued = { at: time + milliseconds, end, isOver: false }
        const callOff = () => {
          queued.isOver = true
        }
        unless?.then(callOff, callOff)
        pauses.add(queued)
      }),
    async advance(milliseconds) {
      const latest = time + milliseconds
      do await standStill()
      while (endNextPause(latest))
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
        if (!isDone && !endNextPause(Infinity) && !isDone) await standStill(() => isDone)
      }
      return promise
    },
  }
}
