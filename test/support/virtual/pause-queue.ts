/** A pause that ends at that moment, in milliseconds since the epoch. */
export interface QueuedPause {
  readonly at: number
  readonly end: () => void
  /** It was called off, and is passed over. */
  readonly isOver: boolean
}

/** Pauses, the earliest first; of those that end at one moment the one that began first. A day has millions. */
export interface PauseQueue {
  add(pause: QueuedPause): void
  /** The next one that ends until then, which is no longer in the queue. */
  takeNext(latest: number): QueuedPause | undefined
}

interface Node extends Pick<QueuedPause, 'at'> {
  readonly pause: QueuedPause
  readonly order: number
}

/** A binary heap: each node comes before its children, which stand at twice its place and the one after. */
export function createPauseQueue(): PauseQueue {
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
