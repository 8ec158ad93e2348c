import type { TestContext } from 'node:test'

/**
 * Starts a real server or tool. If this machine lacks it, the test is skipped and the reason is shown. With
 * `TOKENWELL_TEST_REQUIRE_SERVERS`, as in CI, the test fails instead.
 * @returns undefined if the test must return
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

/** A server or tool is missing. The message names it and the command that installs it. */
export class MissingServerError extends Error {
  override readonly name = 'MissingServerError'
}
