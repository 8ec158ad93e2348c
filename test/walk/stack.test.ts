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
 * The stack of a network error, as a developer reads it. Each frame of Tokenwell has the name of its function. The
 * error is thrown during a first token request. Its stack is what V8 kept: the callers, and the functions that await
 * them.
 */

Error.stackTraceLimit = 100
Object.assign(process.env, { POWERTOOLS_LOG_LEVEL: 'SILENT', POWERTOOLS_METRICS_DISABLED: 'true' })

/**
 * The functions between the network and the single flight. Many callers await the single flight, and there V8's stack
 * ends.
 */
const tiers = ['lib/token-endpoint/', 'lib/get-token/from-server.ts', 'lib/get-token/from-fleet.ts']

test('in the stack of a network error, each function between the network and its callers has a name', async (t) => {
  const frames = await framesOfFirstToken(t, () => ({
    async post() {
      // The pause is like a real exchange. After it the stack holds only the functions that await the call.
      await new Promise((resolve) => setImmediate(resolve))
      throw new Error('the wire is cut')
    },
  }))
  demandNames(frames)
})

test('in the stack of a connection error from the adapter, each function has a name', async (t) => {
  const frames = await framesOfFirstToken(t, (real) => real)
  assert.match(frames[0] ?? '', /lib\/adapters\/http\//)
  demandNames(frames)
})

test("in the stack of an error about the adapter's missing certificates, each function has a name", async (t) => {
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

/** Tokenwell's frames in the error of a first token, innermost first, with paths from the root. */
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
  const [{ stack = '' } = assert.fail('no token request failed')] = errors
  return stack
    .split('\n')
    .map((line) => line.trim().replace(new URL('../../', import.meta.url).href, ''))
    .filter((line) => /^at .*\b(lib|functions)\/[\w./-]+\.ts:\d+/.test(line) && !line.includes('node_modules'))
}
