import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { MissingServerError } from '../servers/real-server.ts'

const packages = {
  openssl: 'openssl',
  keytool: 'openjdk-17-jre-headless',
  'ssh-keygen': 'openssh-client',
  puttygen: 'putty-tools',
} as const

export type KeyTool = keyof typeof packages

const run = promisify(execFile)

/**
 * Runs a tool that makes or converts keys and waits for its end.
 * @throws {MissingServerError} if this machine lacks it
 */
export async function runKeyTool(tool: KeyTool, ...parameters: readonly string[]): Promise<void> {
  try {
    // The machine's own OPENSSL_CONF could allow ciphers that Tokenwell's advice in a message must name.
    await run(tool, [...parameters], { env: { ...process.env, OPENSSL_CONF: '/dev/null' }, timeout: 60_000 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new MissingServerError(`${tool} is not installed. Install it with: apt-get install ${packages[tool]}`)
  }
}
