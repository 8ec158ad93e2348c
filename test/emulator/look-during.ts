import { setTimeout as pause } from 'node:timers/promises'

const pauseMilliseconds = 200

/** Looks again and again until the work ends, and once more after it. Rejects if the work or a look fails. */
export async function lookDuring<T>(work: Promise<unknown>, look: () => Promise<T>): Promise<readonly T[]> {
  const found: T[] = []
  let isOver = false
  const over = work.finally(() => {
    isOver = true
  })
  // If a look fails first, nothing else waits for the work until it ends.
  over.catch(() => {})
  try {
    for (let isLast = false; !isLast; await pause(pauseMilliseconds)) {
      isLast = isOver
      found.push(await look())
    }
  } finally {
    await over
  }
  return found
}
