import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createServerCertificate, type ServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'
import { MissingServerError } from '../../support/servers/real-server.ts'

export interface OpensslServer {
  readonly origin: string
  readonly certificate: ServerCertificate
}

/**
 * A server that is not Node.js. It accepts only clients with a certificate of that CA, and refuses others with a TLS alert. It
 * answers each GET with a page about the connection.
 * @throws {MissingServerError}
 */
export async function startOpensslServer(
  t: TestContext,
  clientCa: string,
  version: 'TLSv1.2' | 'TLSv1.3',
): Promise<OpensslServer> {
  const certificate = await createServerCertificate(['localhost'])
  const folder = await temporaryFolder(t)
  const path = (name: string) => join(folder, name)
  await writeFile(path('certificate.pem'), certificate.certificate)
  await writeFile(path('key.pem'), certificate.privateKey)
  await writeFile(path('ca.pem'), clientCa)

  const identity = ['-cert', path('certificate.pem'), '-key', path('key.pem')]
  const demand = ['-CAfile', path('ca.pem'), '-Verify', '1', '-verify_return_error']
  const versions = version === 'TLSv1.2' ? ['-tls1_2'] : ['-tls1_3']
  // With port 0 it uses any free port, and prints it.
  const options = ['s_server', '-accept', 'localhost:0', '-www', ...identity, ...demand, ...versions]
  const server = spawn('openssl', options, { stdio: ['pipe', 'pipe', 'ignore'] })
  t.after(() => void server.kill('SIGKILL'))
  await once(server, 'spawn').catch(() => {
    throw new MissingServerError('openssl is not installed. Install it with: apt-get install openssl')
  })
  return { origin: `https://localhost:${await acceptingPort(server)}`, certificate }
}

function acceptingPort(server: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = ''
    server.once('exit', () => reject(new Error(`openssl s_server has ended: ${output}`)))
    server.stdout?.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4_000)
      const [, port] = /^ACCEPT .*:(\d+)$/m.exec(output) ?? []
      if (port !== undefined) resolve(port)
    })
  })
}
