/**
 * Waits until every promise has ended, even if one of them fails: Lambda freezes work that still runs when a function answers.
 * @throws {unknown} the first failure, in the order of the list
 */
export async function allEnded<const Results extends readonly unknown[]>(
  running: {
    readonly [Index in keyof Results]: Promise<Results[Index]>
  },
): Promise<Results> {
  await Promise.allSettled(running)
  return await Promise.all(running)
}
