import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { TestContext } from 'node:test'

/**
 * The URL of a host that drops each connection attempt, as a firewall does: a process that accepts none and has a full
 * queue of connections. The kernel would connect clients to a server that is only silent.
 */
export async function startBlackHoleListener(t: TestContext): Promise<string> {
  const source = `
    const server = require('node:net').createServer()
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      require('node:fs').writeSync(1, String(server.address().port))
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000)
      process.exit()
    })`
  const child = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const [port] = (await once(child.stdout, 'data')) as [Buffer]
  const fillers = Array.from({ length: 8 }, () => connect(Number(port), '127.0.0.1').on('error', () => {}))
  t.after(() => {
    for (const each of fillers) each.destroy()
  })
  await once(fillers[0] as (typeof fillers)[number], 'connect')
  return `http://127.0.0.1:${port}`
}
