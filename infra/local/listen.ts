import type { Server } from 'node:net'
import { LocalRunError } from './terminal.ts'

const portsTried = 20

/**
 * Listens on the port, or on the next free port after it if `mayMove`.
 * @param advice a sentence that says what to do if the port is in use
 * @returns the port
 * @throws {LocalRunError}
 */
export async function listen(
  server: Server,
  port: number,
  host: string,
  { mayMove = false, advice = 'Free it and start again.' }: { mayMove?: boolean; advice?: string } = {},
): Promise<number> {
  for (let offset = 0; offset < (mayMove ? portsTried : 1); offset++)
    if (await isListening(server, port + offset, host)) return portOf(server)
  const last = port + portsTried - 1
  throw new LocalRunError(
    mayMove ? `All ports from ${port} to ${last} are in use. ${advice}` : `Port ${port} is in use. ${advice}`,
  )
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}

function isListening(server: Server, port: number, host: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') return resolve(false)
      reject(new LocalRunError(`The local run cannot listen on port ${port} (${error.code}). Choose another port.`))
    }
    server.once('error', refuse)
    server.listen(port, host, () => {
      server.off('error', refuse)
      resolve(true)
    })
  })
}
