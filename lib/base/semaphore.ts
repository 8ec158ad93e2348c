/** All of them in their order, so many at a time: what some service takes in one call. */
export function batchesOf<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) => all.slice(index * size, (index + 1) * size))
}

/**
 * Runs it for each item, so many at a time, in their order. After a failure none is begun any more. Ends when all that were
 * begun have ended, with the first failure.
 */
export async function forEachAtMost<T>(
  maximum: number,
  items: readonly T[],
  run: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items.values()
  const failures: unknown[] = []
  const worker = async () => {
    for (const item of waiting) {
      if (failures.length > 0) return
      await run(item).catch((error: unknown) => failures.push(error))
    }
  }
  await Promise.all(Array.from({ length: Math.min(maximum, items.length) }, worker))
  if (failures.length > 0) throw failures[0]
}

/** Lets so many run at a time; the others wait for their turn. */
export function createSlots(maximum: number): <T>(run: () => Promise<T>) => Promise<T> {
  let free = maximum
  const waiting: (() => void)[] = []

  return async (run) => {
    if (free > 0) free--
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await run()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else free++
    }
  }
}
