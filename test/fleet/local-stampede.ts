import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { secretPath } from '../../lib/adapters/files/file-secrets.ts'
import { exampleElements, type RawElements } from '../support/elements/elements.ts'
import { allAnswers, failureOf, longest, tokensIn } from '../support/process/fleet-of-processes.ts'
import { callers, processes, type StartBackend, startSharedFleet } from './shared-fleet.ts'

/* Tokens that Tokenwell signs itself. No server counts them: the callers see how many there are. */

const shared = { connection: 'conn', authentication: 'signed' }
const ofOneRequest = { connection: 'conn', authentication: 'forOneRequest' }

function elementsOf(issuer: string): RawElements {
  const elements = exampleElements(issuer, {
    endpoint: { authenticationConfigRef: ['theConfig', shared.authentication, ofOneRequest.authentication] },
  })
  return {
    ...elements,
    authTokenLocal: {
      signed: { tokenGeneratorRef: 'signingBuilder', header: 'X-Signed', cacheTokensWithJti: true },
      forOneRequest: { tokenGeneratorRef: 'theBuilder', header: 'X-For-One-Request' },
    },
    jwtBuilder: { ...elements['jwtBuilder'], signingBuilder: { issuer: 'me', jwkEnabled: true } },
  }
}

export function testLocalStampede(name: string, startBackend: StartBackend): void {
  test(`${name}: ${processes} cold processes with ${callers} callers each sign one token, after a holder has died before it signed`, async (t) => {
    const fleet = await startSharedFleet(t, startBackend, elementsOf)
    if (!fleet) return
    const { workers, more, workspace, requests } = fleet
    const askAll = async (request: { readonly event: object; readonly callers: number }) =>
      allAnswers(await Promise.all(workers.map((worker) => worker.call(request))))

    const { secretsFolder, deployment } = workspace
    const key = secretPath(secretsFolder, deployment.stage, `tokenwell/${deployment.stage}/jwk/signingBuilder`)
    const [holder] = await more(1)
    assert(holder)
    await dieBeforeSigning(
      key,
      async () => {
        holder.call({ event: shared, callers: 1 }).catch(() => {})
      },
      async () => {
        holder.signal('SIGKILL')
        await holder.ended
      },
    )

    const answers = await askAll({ event: shared, callers })
    t.diagnostic(`the last of ${answers.length} answers after ${longest(answers)}`)
    assert.deepEqual(answers.map(failureOf).filter(Boolean), [])
    assert.deepEqual([answers.length, tokensIn(answers)], [processes * callers, 1])
    assert.equal(answers.filter(({ source }) => source === 'server').length, callers, 'not one process')

    // Each of them reads the shared cache, and an emulator of DynamoDB takes only so many reads.
    const few = callers / 4
    const own = await askAll({ event: ofOneRequest, callers: few })
    t.diagnostic(`the last of ${own.length} tokens for one request after ${longest(own)}`)
    assert.deepEqual(own.map(failureOf).filter(Boolean), [])
    assert.equal(tokensIn(own), processes * few, 'two callers have the same token')
    assert.equal(requests.length, 0, 'the authorization server was asked')
  })
}

/** Replaces the file with the key by a pipe, so that its reader waits: it has the lease by then. */
async function dieBeforeSigning(key: string, begin: () => Promise<void>, end: () => Promise<void>): Promise<void> {
  const kept = `${key}.kept`
  await rename(key, kept)
  await promisify(execFile)('mkfifo', [key])
  await begin()
  // Returns as soon as there is a reader.
  const pipe = await open(key, 'w')
  await end()
  await pipe.close()
  await rm(key)
  await writeFile(key, await readFile(kept), { mode: 0o600 })
}
