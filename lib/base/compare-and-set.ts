/** Another writer came between the read and the write. */
export const lostRace = Symbol('lost race')

/**
 * Reads, decides and writes again each time that another writer was faster.
 * @param mostTries whoever loses that often gives up
 * @param tryOnce reads, decides and writes only over what it has read
 * @returns what the first try that wasn't lost came to; `lostRace` where all were
 */
export async function compareAndSet<T>(
  mostTries: number,
  tryOnce: () => Promise<T | typeof lostRace>,
): Promise<T | typeof lostRace> {
  for (let tries = 0; tries < mostTries; tries++) {
    const outcome = await tryOnce()
    if (outcome !== lostRace) return outcome
  }
  return lostRace
}
