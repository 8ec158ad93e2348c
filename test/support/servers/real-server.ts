import type { TestContext } from 'node:test'

/**
 * A real part that this machine may lack. Where it can't be had the test is skipped and says why; with
 * `TOKENWELL_TEST_REQUIRE_SERVERS`, as in CI, it fails instead.
 * @returns undefined where the test is to end
 */
export async function startIfThere<Server>(t: TestContext, start: () => Promise<Server>): Promise<Server | undefined> {
  try {
    return await start()
  } catch (error) {
    if (!(error instanceof MissingServerError) || process.env['TOKENWELL_TEST_REQUIRE_SERVERS']) throw error
    t.skip(error.message)
    return undefined
  }
}

/** Names what is missing and how it is installed. */
export class MissingServerError extends Error {
  override readonly name = 'MissingServerError'
}
