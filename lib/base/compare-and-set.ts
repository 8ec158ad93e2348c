/** Another writer wrote between the read and the write. */
export const lostRace = Symbol('lost race')

/**
 * Reads, decides and writes again each time that another writer was faster.
 * @param mostTries the number of tries after which it gives up
 * @param tryOnce reads, decides, and writes only if the record is still the one that it read
 * @returns the outcome of the first try that won; `lostRace` if none did
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
