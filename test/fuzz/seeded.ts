import type { TestContext } from 'node:test'
import fc from 'fast-check'

const { TOKENWELL_FUZZ_SEED, TOKENWELL_FUZZ_RUNS } = process.env
/** The same values each time, so that a failure is due to a change. */
const usualSeed = 20_261_129

/**
 * Checks the property for that many values. TOKENWELL_FUZZ_RUNS asks for as many random values, and TOKENWELL_FUZZ_SEED
 * for the values of a seed. The seed is printed before the run, and a failure names it with the smallest value that
 * fails.
 */
export async function holdsFor<T>(
  t: TestContext,
  runs: number,
  values: fc.Arbitrary<T>,
  property: (value: T) => Promise<void>,
): Promise<void> {
  const others = TOKENWELL_FUZZ_RUNS === undefined ? usualSeed : Math.floor(Math.random() * 2 ** 31)
  const seed = TOKENWELL_FUZZ_SEED === undefined ? others : Number(TOKENWELL_FUZZ_SEED)
  t.diagnostic(`TOKENWELL_FUZZ_SEED=${seed}`)
  const numRuns = TOKENWELL_FUZZ_RUNS === undefined ? runs : Number(TOKENWELL_FUZZ_RUNS)
  try {
    await fc.assert(fc.asyncProperty(values, property), { seed, numRuns, interruptAfterTimeLimit: 240_000 })
  } catch (error) {
    throw new Error(`with TOKENWELL_FUZZ_SEED=${seed}`, { cause: error })
  }
}
