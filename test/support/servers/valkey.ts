import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { temporaryFolder } from '../process/temporary-folder.ts'
import { freePort } from './free-port.ts'
import { MissingServerError } from './real-server.ts'

const programs = ['valkey-server', 'redis-server']
const startsTried = 5

export interface ValkeyServer {
  readonly url: string
  readonly port: number
  readonly password?: string
  /** The CA that signed the server's certificate, in PEM. */
  readonly ca?: string
  stop(): Promise<void>
  /** Restarts the server without its data, on the same port. */
  restart(): Promise<void>
}

interface ValkeySettings {
  readonly tls?: boolean
  readonly password?: string
  /** A cluster of one node, which has no slots yet. */
  readonly cluster?: boolean
}

/**
 * A real server on a free port. It writes no data to disk and ends with the test.
 * @throws {MissingServerError} if it is not installed
 */
export async function startValkey(t: Pick<TestContext, 'after'>, settings: ValkeySettings = {}): Promise<ValkeyServer> {
  const { tls = false, password, cluster = false } = settings
  const folder = await temporaryFolder(t)
  const ca = tls ? await writeCertificate(folder) : undefined

  let server: ChildProcess | undefined
  const stop = async () => {
    if (!server || server.exitCode !== null || server.signalCode !== null) return
    const exited = once(server, 'exit')
    server.kill('SIGKILL')
    await exited
  }
  t.after(stop)
  const startAt = async (port: number) => {
    const lines = configuration(folder, port, settings)
    // The default is the port plus 10,000, which may not exist.
    if (cluster) lines.push('cluster-enabled yes', `cluster-port ${await freePort()}`)
    await writeFile(join(folder, 'server.conf'), `${lines.join('\n')}\n`)
    server = await startProgram(folder)
    return server !== undefined
  }

  let port = await freePort()
  for (let tried = 1; !(await startAt(port)); tried++) {
    if (tried === startsTried) throw new Error(`no Valkey server could be started in ${startsTried} attempts`)
    port = await freePort()
  }
  return {
    url: `${tls ? 'valkeys' : 'valkey'}://localhost:${port}`,
    port,
    ...(password !== undefined && { password }),
    ...(ca !== undefined && { ca }),
    stop,
    async restart() {
      await stop()
      if (!(await startAt(port))) throw new Error(`the Valkey server could not be started again on port ${port}`)
    },
  }
}

/** @returns the CA's certificate */
async function writeCertificate(folder: string): Promise<string> {
  const { caCertificate, certificate, privateKey } = await createServerCertificate(['localhost'])
  await writeFile(join(folder, 'ca.pem'), caCertificate)
  await writeFile(join(folder, 'certificate.pem'), certificate)
  await writeFile(join(folder, 'key.pem'), privateKey, { mode: 0o600 })
  return caCertificate
}

function configuration(folder: string, port: number, { tls = false, password }: ValkeySettings): string[] {
  const lines = ['bind 127.0.0.1', `dir ${folder}`, 'save ""', 'appendonly no', `port ${tls ? 0 : port}`]
  if (password !== undefined) lines.push(`requirepass ${password}`)
  if (tls) {
    lines.push(`tls-port ${port}`, 'tls-auth-clients no', `tls-ca-cert-file ${join(folder, 'ca.pem')}`)
    lines.push(`tls-cert-file ${join(folder, 'certificate.pem')}`, `tls-key-file ${join(folder, 'key.pem')}`)
  }
  return lines
}

/** @returns undefined if it ended at once, as it does when another process took the port */
async function startProgram(folder: string): Promise<ChildProcess | undefined> {
  for (const program of programs) {
    const child = spawn(program, [join(folder, 'server.conf')], { stdio: ['ignore', 'pipe', 'inherit'] })
    const isThere = await once(child, 'spawn').then(
      () => true,
      () => false,
    )
    if (isThere) return (await isReady(child)) ? child : undefined
  }
  throw new MissingServerError(
    'Neither valkey-server nor redis-server is installed. Install one of them with: apt-get install valkey-server',
  )
}

function isReady(child: ChildProcess): Promise<boolean> {
  return new Promise((resolve) => {
    let output = ''
    child.once('exit', () => resolve(false))
    child.stdout?.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4_000)
      if (output.includes('Ready to accept connections')) resolve(true)
    })
  })
}
