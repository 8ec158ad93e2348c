import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createHandler } from '../../functions/issue-token/handler.ts'
import { createServerCertificate } from '../../infra/local/certificate-authority.ts'
import { createLocalContext } from '../../infra/local/http-gateway.ts'
import { createApplication } from '../../lib/application/application.ts'
import { readEnvironment } from '../../lib/application/environment.ts'
import { openPorts } from '../../lib/application/open-ports.ts'
import type { TokenEndpoint } from '../../lib/token-endpoint/token-endpoint.ts'
import { exampleElements } from '../support/elements/elements.ts'
import {
  createBareWorkspace,
  createHttpEvent,
  environmentOf,
  tokenRequest,
} from '../support/functions/load-function.ts'
import { startScriptedTokenEndpoint, tokenAnswer } from '../support/servers/scripted-token-endpoint.ts'

/*
 * An error at the wire, as a developer reads it: each frame of ours has the name of its function. The error is thrown in the midst
 * of a first token, and its stack is what V8 kept: who called, and who awaits that call.
 */

Error.stackTraceLimit = 100
Object.assign(process.env, { POWERTOOLS_LOG_LEVEL: 'SILENT', POWERTOOLS_METRICS_DISABLED: 'true' })

/** The functions between the wire and the single flight, which many callers await: there V8's stack ends. */
const tiers = ['lib/token-endpoint/', 'lib/get-token/from-server.ts', 'lib/get-token/from-fleet.ts']

test('where the network throws, each function between the wire and its callers has a name', async (t) => {
  const frames = await framesOfFirstToken(t, () => ({
    async post() {
      // After a pause as of a real exchange: of the stack remains who awaits it.
      await new Promise((resolve) => setImmediate(resolve))
      throw new Error('the wire is cut')
    },
  }))
  demandNames(frames)
})

test('so it is where the server ends every connection, and the adapter says so', async (t) => {
  const frames = await framesOfFirstToken(t, (real) => real)
  assert.match(frames[0] ?? '', /lib\/adapters\/http\//)
  demandNames(frames)
})

test('so it is where the certificates are missing that the adapter needs', async (t) => {
  const frames = await framesOfFirstToken(t, (real) => real, { isTrusting: false })
  assert.match(frames[0] ?? '', /lib\/adapters\/files\/file-secrets\.ts/)
  demandNames(frames, [])
})

function demandNames(frames: readonly string[], through = tiers): void {
  console.log(`${frames.join('\n')}\n`)
  assert.deepEqual(
    frames.filter((frame) => !/^at (async )?(new )?[\w.#$]+ (\[as \w+\] )?\((functions|lib)\//.test(frame)),
    [],
  )
  for (const path of through)
    assert.ok(
      frames.some((frame) => frame.includes(path)),
      path,
    )
}

/** The frames of ours in the error of a first token, innermost first, with paths from the root. */
async function framesOfFirstToken(
  t: TestContext,
  wire: (real: TokenEndpoint) => TokenEndpoint,
  { isTrusting = true } = {},
): Promise<readonly string[]> {
  const certificate = await createServerCertificate(['localhost'])
  const takesOver = (socket: { destroy(): unknown }) => socket.destroy() !== undefined
  const server = await startScriptedTokenEndpoint(() => tokenAnswer(), { certificate, takesOver })
  t.after(() => server.close())
  const workspace = await createBareWorkspace(t, exampleElements(server.issuer), certificate)
  if (!isTrusting) await rm(join(workspace.secretsFolder, 'authorization-server-ca'))

  const environment = readEnvironment(environmentOf(workspace))
  const ports = openPorts(environment)
  const errors: Error[] = []
  const at = wire(ports.tokenEndpoint)
  const tokenEndpoint: TokenEndpoint = {
    async post(...request) {
      try {
        return await at.post(...request)
      } catch (error) {
        assert(error instanceof Error)
        errors.push(error)
        throw error
      }
    },
  }
  const application = createApplication({ ...ports, tokenEndpoint })
  const handler = createHandler({ ...environment, ...ports, application })
  await handler(createHttpEvent(tokenRequest('conn')), createLocalContext(Date.now()))
  const [{ stack = '' } = assert.fail('nothing was sent')] = errors
  return stack
    .split('\n')
    .map((line) => line.trim().replace(new URL('../../', import.meta.url).href, ''))
    .filter((line) => /^at .*\b(lib|functions)\/[\w./-]+\.ts:\d+/.test(line) && !line.includes('node_modules'))
}
