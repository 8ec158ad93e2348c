/** Runs it for each item, so many at a time, in their order. Ends when all have ended; a failure ends it with that one. */
export async function forEachAtMost<T>(
  maximum: number,
  items: readonly T[],
  run: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items.values()
  const worker = async () => {
    for (const item of waiting) await run(item)
  }
  await Promise.all(Array.from({ length: Math.min(maximum, items.length) }, worker))
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
