import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { createServerCertificate } from '../../infra/local/certificate-authority.ts'
import { listen } from '../../infra/local/listen.ts'
import { exampleElements } from '../support/elements/elements.ts'
import { createWorkspace } from '../support/functions/function-caller.ts'
import { environmentOf } from '../support/functions/load-function.ts'
import { root } from '../support/process/local-run.ts'
import type { SoakSample } from './soaked-instance.ts'

/*
 * What one process does in ten minutes. Some keys are requested all the time. Ten times as many other keys as the
 * process can keep tokens for are requested one after the other.
 */

const seconds = Number(process.env['TOKENWELL_SOAK_SECONDS'] ?? 600)
const sampleSeconds = Math.max(1, seconds / 10)
const keys = 100_000
const callers = 16
const mebibyte = 1024 * 1024

test(`after ${seconds} s at the full load of one core, with ${keys} token keys and a bound of 10,000, memory has not grown and no handle is left`, async (t) => {
  const { samples, tokenRequests } = await soak(t)
  const [last, ...before] = samples.toReversed()
  assert(last?.isLast)
  const inMebibytes = samples.map(({ heapBytes }) => Math.round(heapBytes / mebibyte))
  t.diagnostic(`${last.calls} calls, ${tokenRequests()} token requests, slowest ${last.slowestMilliseconds} ms`)
  t.diagnostic(`heap ${inMebibytes.join(', ')} MiB; resident ${Math.round(last.residentBytes / mebibyte)} MiB`)
  t.diagnostic(`handles ${samples.map(({ handles }) => handles.length).join(', ')}`)

  assert.equal(last.failures, 0, 'a call got no token or the token of another key')
  if (seconds >= 600) assert.ok(tokenRequests() > keys, 'not every key was requested')
  // After half of the time, everything that is bounded is full.
  const settled = before[Math.floor(before.length / 2)]?.heapBytes ?? 0
  assert.ok(last.heapBytes < settled + 24 * mebibyte, `the heap grew from ${settled} to ${last.heapBytes} bytes`)
  assert.deepEqual(last.handles, [], 'a socket or timer is left')
})

async function soak(t: TestContext): Promise<{ samples: readonly SoakSample[]; tokenRequests: () => number }> {
  const { issuer, certificate, tokenRequests } = await startTokenIssuer(t)
  const workspace = await createWorkspace(
    t,
    exampleElements(issuer, { server: { maximumConcurrency: callers } }),
    certificate,
  )
  const script = join(root, 'test', 'life', 'soaked-instance.ts')
  const child = fork(script, [seconds, sampleSeconds, keys, callers].map(String), {
    env: { ...process.env, ...environmentOf(workspace) },
    execArgv: ['--expose-gc'],
  })
  t.after(() => child.kill('SIGKILL'))
  const samples: SoakSample[] = []
  child.on('message', (sample: SoakSample) => samples.push(sample))
  const [code] = (await once(child, 'exit')) as [number]
  assert.equal(code, 0)
  return { samples, tokenRequests }
}

/** A server that remembers nothing of its requests. */
async function startTokenIssuer(t: TestContext) {
  const certificate = await createServerCertificate(['localhost'])
  let issued = 0
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const scope = new URLSearchParams(await text(request)).get('scope')
    const body = { access_token: `some-token-${issued++}.${scope}`, token_type: 'Bearer', expires_in: 300 }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
  const server = createServer({ cert: certificate.certificate, key: certificate.privateKey }, (request, response) => {
    void answer(request, response)
  })
  const port = await listen(server, 0, 'localhost')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { issuer: `https://localhost:${port}`, certificate, tokenRequests: () => issued }
}
