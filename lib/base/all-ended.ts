/**
 * Waits until every promise has ended, also where one of them fails: what is left running when a function answers, Lambda
 * freezes halfway.
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
