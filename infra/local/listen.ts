import type { Server } from 'node:net'

const portsTried = 20

/** A sentence for the person at the terminal instead of a stack. */
export class LocalRunError extends Error {}

/**
 * Listens on that port, or on the next free one after it where `mayMove`.
 * @returns the port
 * @throws {LocalRunError}
 */
export async function listen(server: Server, port: number, host: string, mayMove: boolean): Promise<number> {
  for (let offset = 0; offset < (mayMove ? portsTried : 1); offset++)
    if (await isListening(server, port + offset, host)) return portOf(server)
  throw new LocalRunError(
    mayMove
      ? `The ports ${port} to ${port + portsTried - 1} are all taken: free one of them and start again.`
      : `Port ${port} is taken: free it, or choose another one, and start again.`,
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
      reject(new LocalRunError(`Port ${port} can't be listened on (${error.code}): choose another one.`))
    }
    server.once('error', refuse)
    server.listen(port, host, () => {
      server.off('error', refuse)
      resolve(true)
    })
  })
}
