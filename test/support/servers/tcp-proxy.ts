import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'

/** A proxy in front of a server on this machine. It makes the server slow, silent or unreachable. */
export interface TcpProxy {
  readonly port: number
  /** The number of connections so far. */
  connections(): number
  /** From now on delays the server's answers by this much, in their order. */
  delay(milliseconds: number): void
  /** Accepts connections and bytes, but passes on nothing in either direction, until `release`. */
  hold(): void
  release(): void
  /** Resets all current connections. New ones work. */
  cut(): void
  /**
   * Resets each current connection as soon as its client sends something more: a dead connection that nobody noticed.
   */
  cutWhenUsed(): void
}

export async function startTcpProxy(t: TestContext, targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  const callers = new Set<Socket>()
  const dead = new WeakSet<Socket>()
  let [count, delayMilliseconds] = [0, 0]
  let held = Promise.withResolvers<void>()
  held.resolve()

  function pass(from: Socket, to: Socket, lateness: () => number): void {
    let last: Promise<unknown> = Promise.resolve()
    const inOrder = (act: () => unknown) => {
      last = Promise.all([last, wait(lateness())])
        .then(() => held.promise)
        .then(act)
    }
    from.on('data', (chunk: Buffer) => {
      if (dead.has(from)) from.resetAndDestroy()
      else inOrder(() => to.write(chunk))
    })
    from.on('end', () => inOrder(() => to.end()))
    from.on('error', () => to.destroy())
    from.on('close', () => {
      sockets.delete(from)
      inOrder(() => to.end())
    })
  }

  const server = createServer({ allowHalfOpen: true }, (caller) => {
    count++
    const target = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true })
    for (const socket of [caller, target]) sockets.add(socket)
    callers.add(caller)
    caller.on('close', () => callers.delete(caller))
    pass(caller, target, () => 0)
    pass(target, caller, () => delayMilliseconds)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })

  return {
    port: (server.address() as AddressInfo).port,
    connections: () => count,
    delay(milliseconds) {
      delayMilliseconds = milliseconds
    },
    hold() {
      held = Promise.withResolvers()
    },
    release() {
      held.resolve()
    },
    cut() {
      for (const socket of sockets) socket.resetAndDestroy()
    },
    cutWhenUsed() {
      for (const caller of callers) dead.add(caller)
    },
  }
}
