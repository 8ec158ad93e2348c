/** Splits a list, in order, into parts of at most `size`: as many as a service takes in one call. */
export function batchesOf<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) => all.slice(index * size, (index + 1) * size))
}

export type Semaphore = ReturnType<typeof createSemaphore>

/** Limits how many calls run at a time. The others wait in the order of their calls. */
export function createSemaphore(maximum: number) {
  let free = maximum
  const waiting = new Set<() => void>()

  function turn(giveUp: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const begin = () => {
      waiting.delete(begin)
      giveUp?.removeEventListener('abort', leave)
      resolve()
    }
    const leave = () => {
      waiting.delete(begin)
      reject(giveUp?.reason as Error)
    }
    if (giveUp?.aborted) leave()
    else {
      giveUp?.addEventListener('abort', leave, { once: true })
      waiting.add(begin)
    }
    return promise
  }

  function passOn(): void {
    const [next] = waiting
    if (next) next()
    else free++
  }

  return {
    /**
     * Runs the work as soon as fewer than `maximum` others run.
     * @param giveUp ends the wait, but not work that has already begun
     * @throws {unknown} the reason of `giveUp`, or what the work throws
     */
    async run<T>(work: () => Promise<T>, giveUp?: AbortSignal): Promise<T> {
      if (free > 0) free--
      else await turn(giveUp)
      try {
        return await work()
      } finally {
        passOn()
      }
    },
  }
}

/**
 * Calls `run` for each item, in order, at most `maximum` at a time. After a failure no further call begins. When all running
 * calls have ended, it throws the first failure.
 */
export async function forEachAtMost<T>(
  maximum: number,
  items: readonly T[],
  run: (item: T) => Promise<void>,
): Promise<void> {
  const semaphore = createSemaphore(maximum)
  const failures: unknown[] = []
  const runs = items.map((item) =>
    semaphore.run(async () => {
      if (failures.length > 0) return
      await run(item).catch((error: unknown) => failures.push(error))
    }),
  )
  await Promise.all(runs)
  if (failures.length > 0) throw failures[0]
}
