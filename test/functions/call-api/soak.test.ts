import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { startCallApiWithScriptedServers } from '../../support/functions/call-api-with-scripted-servers.ts'

/* 10,000 calls, 50 at a time: each gets its own answer, and nothing of them stays in memory. */

const calls = 10_000
const concurrency = 50
const mebibyte = 1024 * 1024

test(`${calls} calls, ${concurrency} at a time: no failure, each its own answer, and memory stays flat`, async (t) => {
  const { call, api, tokens } = await startCallApiWithScriptedServers(t)
  // The usual test server keeps its requests. This one doesn't.
  api.server.removeAllListeners('request')
  api.server.on('request', (request, response) => void echo(request, response))

  let next = 0
  const wrong: string[] = []
  const heaps: number[] = []
  async function caller(until: number): Promise<void> {
    while (next < until) {
      const id = next++
      const body = id % 3 === 0 ? Buffer.alloc(1_000, id % 256) : undefined
      const answer = await call({
        method: body ? 'POST' : 'GET',
        path: `/orders/${id}`,
        ...(body && { body, headers: { 'content-type': 'application/octet-stream' } }),
      })
      const expected = `/orders/${id} ${body ? body.toString('base64') : ''}`
      if (answer.status !== 200 || answer.body.toString() !== expected) wrong.push(`${id}: ${answer.status}`)
    }
  }
  for (let until = calls / 5; until <= calls; until += calls / 5) {
    await Promise.all(Array.from({ length: concurrency }, () => caller(until)))
    heaps.push(heapInUse())
  }

  assert.deepEqual(wrong, [])
  const [first = 0] = heaps
  const grown = (heaps.at(-1) ?? 0) - first
  t.diagnostic(
    `${api.connections()} connections, heap ${heaps.map((each) => Math.round(each / mebibyte)).join(', ')} MiB`,
  )
  assert.ok(grown < 8 * mebibyte, `the heap has grown by ${grown} bytes`)
  assert.ok(api.connections() <= 2 * concurrency, `${api.connections()} connections`)
  assert.equal(tokens.requests.length, 1)
})

async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  response.end(`${request.url} ${Buffer.concat(chunks).toString('base64')}`)
}

function heapInUse(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect()
  return process.memoryUsage().heapUsed
}
