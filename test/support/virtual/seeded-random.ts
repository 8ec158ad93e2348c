/** Chance that is the same in each run. From 0 up to 1. */
export function seededRandom(seed = 42): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
