import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'
import { freePort } from '../../support/servers/free-port.ts'
import { MissingServerError } from '../../support/servers/real-server.ts'

const startsTried = 5

export interface Tinyproxy {
  readonly port: number
  /**
   * The targets of all CONNECT requests, in order, also of refused ones.
   * @param count the expected number: the log may be a little later than the answer
   */
  tunnels(count: number): Promise<string[]>
  stop(): Promise<void>
}

interface TinyproxySettings {
  /** The credentials that the proxy demands, if given. */
  readonly credentials?: { readonly user: string; readonly password: string }
  /** The ports that it opens tunnels to. All ports if left out. */
  readonly connectPorts?: readonly number[]
}

/**
 * A real forward proxy on a free port of this machine that ends with the test.
 * @throws {MissingServerError}
 */
export async function startTinyproxy(t: TestContext, settings: TinyproxySettings = {}): Promise<Tinyproxy> {
  const folder = await temporaryFolder(t)
  for (let tried = 0; tried < startsTried; tried++) {
    const port = await freePort()
    await writeFile(join(folder, 'tinyproxy.conf'), configuration(port, settings), { mode: 0o600 })
    const log: string[] = []
    const server = await startProgram(join(folder, 'tinyproxy.conf'), log)
    if (!server) continue
    const stop = () => end(server)
    t.after(stop)
    const tunnels = async (count: number) => {
      for (let waited = 0; waited < 200 && tunnelsIn(log.join('')).length < count; waited++) await pause(25)
      return tunnelsIn(log.join(''))
    }
    return { port, tunnels, stop }
  }
  throw new Error(`no tinyproxy could be started in ${startsTried} attempts`)
}

function configuration(port: number, { credentials, connectPorts = [] }: TinyproxySettings): string {
  const lines = [`Port ${port}`, 'Listen 127.0.0.1', 'Allow 127.0.0.1', 'Timeout 60', 'MaxClients 50', 'LogLevel Info']
  if (credentials) lines.push(`BasicAuth ${credentials.user} ${credentials.password}`)
  for (const each of connectPorts) lines.push(`ConnectPort ${each}`)
  return `${lines.join('\n')}\n`
}

/** @returns undefined if it ended at once, for example because the port was taken meanwhile */
async function startProgram(configurationPath: string, log: string[]): Promise<ChildProcess | undefined> {
  const server = spawn('tinyproxy', ['-d', '-c', configurationPath], { stdio: ['ignore', 'pipe', 'pipe'] })
  await once(server, 'spawn').catch(() => {
    throw new MissingServerError('tinyproxy is not installed. Install it with: apt-get install tinyproxy')
  })
  const isReady = await new Promise<boolean>((resolve) => {
    server.once('exit', () => resolve(false))
    const read = (chunk: Buffer) => {
      log.push(chunk.toString())
      if (log.join('').includes('Starting main loop')) resolve(true)
    }
    server.stdout.on('data', read)
    server.stderr.on('data', read)
  })
  return isReady ? server : undefined
}

function tunnelsIn(log: string): string[] {
  return [...log.matchAll(/ CONNECT (\S+) HTTP\/1\.[01]/g)].map(([, authority]) => authority ?? '')
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const exited = once(server, 'exit')
  server.kill('SIGKILL')
  await exited
}
