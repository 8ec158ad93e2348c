import type { Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import type { Connector } from './connector.ts'
import { Client } from './undici.ts'

/** One connection, used by one request at a time. */
export interface HttpConnection {
  readonly client: Client
  /** The one that was opened last; undefined before the first call. */
  socket?: Socket
}

/** The connections to one origin by one TLS identity. */
export interface HttpConnectionPool {
  /** The one that was used last, if that is less than so long ago; else a new one. */
  take(maximumIdleMilliseconds: number): HttpConnection
  /** After an answer was read to its end. */
  giveBack(connection: HttpConnection): Promise<void>
  /** After anything else: nobody uses it again. */
  discard(connection: HttpConnection): void
  close(): Promise<void>
}

interface Idle {
  readonly connection: HttpConnection
  readonly since: number
}

/** As many as one process has any use for: Lambda gives it one request at a time. */
const maximumIdle = 64

/**
 * @param keepAliveMilliseconds as long as anybody would take one that is idle; a server may say less
 * @param now the clock decides what is idle for too long, not a timer: a process that was frozen has not run any
 */
export function createHttpConnectionPool(
  origin: string,
  connect: Connector,
  keepAliveMilliseconds: number,
  now: () => number,
): HttpConnectionPool {
  let idle: readonly Idle[] = []
  let isClosed = false

  function open(): HttpConnection {
    const client = new Client(origin, {
      connect: (options, callback) =>
        connect(options, (...opened) => {
          const [, socket] = opened
          if (socket) connection.socket = socket
          callback(...opened)
        }),
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: keepAliveMilliseconds,
    })
    const connection: HttpConnection = { client }
    client.on('disconnect', () => {
      if (idle.some((each) => each.connection === connection)) discard(connection)
    })
    return connection
  }

  function discard(connection: HttpConnection): void {
    idle = idle.filter((each) => each.connection !== connection)
    connection.client.destroy().catch(() => {})
  }

  return {
    discard,
    take(maximumIdleMilliseconds) {
      const last = idle.at(-1)
      if (!last || now() - last.since >= maximumIdleMilliseconds) return open()
      idle = idle.slice(0, -1)
      return last.connection
    },
    async giveBack(connection) {
      // An answer may be faster than the word that its request was sent.
      if (isSending(connection)) await setImmediate()
      if (isClosed || !isFree(connection)) return discard(connection)
      idle = [...idle, { connection, since: now() }]
      const [first] = idle
      if (first && (idle.length > maximumIdle || now() - first.since > keepAliveMilliseconds)) discard(first.connection)
    },
    async close() {
      isClosed = true
      for (const { connection } of idle) discard(connection)
    },
  }
}

/** Neither closed, nor with a part of the request still on its way, which may be after an early answer. */
function isFree(connection: HttpConnection): boolean {
  const { socket } = connection
  return socket !== undefined && !socket.destroyed && !isSending(connection)
}

function isSending({ socket }: HttpConnection): boolean {
  return socket !== undefined && socket.writableLength > 0
}
