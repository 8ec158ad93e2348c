import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { runToEnd } from '../../support/process/local-run.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'
import { startMoto } from '../../support/servers/moto.ts'
import { startIfThere } from '../../support/servers/real-server.ts'

/* npm start -- --aws */

test('a local run with an AWS emulator copies its files there, and the next run gets its token from the cache', async (t) => {
  const moto = await startIfThere(t, () => startMoto(t))
  if (!moto) return
  const { first, second } = await runTwice(t, moto.environment)
  assert.match(first.output, /aws +\d\d parameters, \d+ secrets and the table tokenwell-local/)
  assert.match(first.output, /The caller \w+ got a token from: server/)
  assert.match(first.output, /The API of the connection orders answered with status 200/)

  const [, beforeCall, call] = /^([\s\S]*)(A call through the connection orders[\s\S]*)$/.exec(second.output) ?? []
  assert.match(beforeCall ?? '', /The caller \w+ got a token from: cache/)
  assert.doesNotMatch(beforeCall ?? '', /elements read|POST https/)
  assert.match(
    call ?? '',
    /The caller \w+ got a token from: cache[\s\S]*The API of the connection orders answered with status 200/,
  )
  assert.doesNotMatch(call ?? '', /POST https/)
})

test('the local run never writes to an AWS account, and without an endpoint it says what to set', async (t) => {
  const environment = { TOKENWELL_FOLDER: await temporaryFolder(t), PORT: '0', AWS_ENDPOINT_URL: '' }
  const { status, output } = await runToEnd(['--aws', '--once'], environment)
  assert.equal(status, 1)
  assert.match(output, /AWS_ENDPOINT_URL is not set\. Set it to an AWS emulator/)
})

/** Two runs, one after the other, whose servers have the same ports. Servers of another run move them, and then the token of the first run is worth nothing. */
async function runTwice(t: TestContext, aws: Readonly<Record<string, string>>) {
  for (let attempt = 1; ; attempt++) {
    const patience = { TOKENWELL_CACHE_BUDGET_MILLISECONDS: '10000' }
    const environment = { TOKENWELL_FOLDER: await temporaryFolder(t), PORT: '0', ...patience, ...aws }
    const [first, second] = [
      await runToEnd(['--aws', '--once'], environment),
      await runToEnd(['--aws', '--once'], environment),
    ]
    for (const { status, output } of [first, second]) assert.equal(status, 0, output)
    const [before, after] = [serverIn(first.output), serverIn(second.output)]
    if (before === after && before !== undefined) return { first, second }
    assert.ok(attempt < 5, `the ports are in use by others: ${before}, ${after}`)
  }
}

function serverIn(output: string): string | undefined {
  return /at (https:\/\/localhost:\d+)\/token/.exec(output)?.[1]
}
