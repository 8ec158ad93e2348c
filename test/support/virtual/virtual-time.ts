import { setImmediate as turn } from 'node:timers/promises'
import type { Pause } from '../../../lib/base/time.ts'

/** A clock that only a test moves, and pauses that follow it. Milliseconds since the epoch. */
export interface VirtualTime {
  readonly now: () => number
  readonly pause: Pause
  /** Lets time pass. Each pause ends at its time. */
  advance(milliseconds: number): Promise<void>
  /** Sets the clock as an administrator does. No pause ends because of it. */
  jump(milliseconds: number): void
  /** Lets time pass until this promise settles. */
  until<T>(promise: Promise<T>): Promise<T>
}

/** More than any step of the product needs between two pauses. */
const turnsAtStandstill = 5

/** @param turns of the event loop between two pauses. One is enough if the code waits for this clock only. */
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
    pause: (milliseconds, signal) =>
      new Promise<void>((end) => {
        const queued = { at: time + milliseconds, end, isOver: false }
        const callOff = () => {
          queued.isOver = true
          end()
        }
        signal?.addEventListener('abort', callOff, { once: true })
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

/** A pause that ends at that time, in milliseconds since the epoch. */
interface QueuedPause {
  readonly at: number
  readonly end: () => void
  /** The pause was cancelled, and is skipped. */
  readonly isOver: boolean
}

/**
 * Pauses, the earliest end first. Of pauses with the same end, the one that began first comes first. A day has
 * millions.
 */
interface PauseQueue {
  add(pause: QueuedPause): void
  /** Takes the next pause that ends by then out of the queue. */
  takeNext(latest: number): QueuedPause | undefined
}

interface Node extends Pick<QueuedPause, 'at'> {
  readonly pause: QueuedPause
  readonly order: number
}

/** A binary heap: each node comes before its children, at twice its index and the index after that. */
function createPauseQueue(): PauseQueue {
  const heap: Node[] = []
  let added = 0

  function takeFirst(): void {
    const last = heap.pop()
    if (last && heap.length > 0) sink(last)
  }

  function sink(node: Node): void {
    let place = 0
    for (;;) {
      const left = heap[2 * place + 1]
      const right = heap[2 * place + 2]
      const child = left && right && isBefore(right, left) ? right : left
      if (!child || isBefore(node, child)) break
      heap[place] = child
      place = 2 * place + (child === left ? 1 : 2)
    }
    heap[place] = node
  }

  return {
    add(pause) {
      const node = { pause, at: pause.at, order: added++ }
      let place = heap.length
      while (place > 0) {
        const above = (place - 1) >> 1
        const parent = heap[above]
        if (!parent || isBefore(parent, node)) break
        heap[place] = parent
        place = above
      }
      heap[place] = node
    },
    takeNext(latest) {
      for (let first = heap[0]; first; first = heap[0]) {
        const { isOver } = first.pause
        if (!isOver && first.at > latest) return undefined
        takeFirst()
        if (!isOver) return first.pause
      }
      return undefined
    },
  }
}

function isBefore(a: Node, b: Node): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
