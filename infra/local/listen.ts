import type { Server } from 'node:net'
import { LocalRunError } from './terminal.ts'

const portsTried = 20

/**
 * Listens on that port, or on the next free one after it where `mayMove`.
 * @param advice what to do where it is taken
 * @returns the port
 * @throws {LocalRunError}
 */
export async function listen(
  server: Server,
  port: number,
  host: string,
  { mayMove = false, advice = 'free it and start again' }: { mayMove?: boolean; advice?: string } = {},
): Promise<number> {
  for (let offset = 0; offset < (mayMove ? portsTried : 1); offset++)
    if (await isListening(server, port + offset, host)) return portOf(server)
  const taken = mayMove ? `The ports ${port} to ${port + portsTried - 1} are all` : `Port ${port} is`
  throw new LocalRunError(`${taken} taken: ${advice}.`)
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}

function isListening(server: Server, port: number, host: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') return resolve(false)
      reject(new LocalRunError(`Port ${port} can't be listened on (${error.code}): choose another one.`))
    }
    server.once('error', refuse)
    server.listen(port, host, () => {
      server.off('error', refuse)
      resolve(true)
    })
  })
}
