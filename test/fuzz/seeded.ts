import type { TestContext } from 'node:test'
import fc from 'fast-check'

/** The same events again: the seed that a failure names. */
const { TOKENWELL_FUZZ_SEED, TOKENWELL_FUZZ_RUNS } = process.env

/**
 * Holds for that many random values, or for as many as TOKENWELL_FUZZ_RUNS says. The seed is told before anything happens,
 * and a failure names it beside the smallest value that fails.
 */
export async function holdsFor<T>(
  t: TestContext,
  runs: number,
  values: fc.Arbitrary<T>,
  property: (value: T) => Promise<void>,
): Promise<void> {
  const seed = TOKENWELL_FUZZ_SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(TOKENWELL_FUZZ_SEED)
  t.diagnostic(`TOKENWELL_FUZZ_SEED=${seed}`)
  const numRuns = TOKENWELL_FUZZ_RUNS === undefined ? runs : Number(TOKENWELL_FUZZ_RUNS)
  try {
    await fc.assert(fc.asyncProperty(values, property), { seed, numRuns, interruptAfterTimeLimit: 240_000 })
  } catch (error) {
    throw new Error(`with TOKENWELL_FUZZ_SEED=${seed}`, { cause: error })
  }
}
