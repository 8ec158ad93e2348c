import type { Socket } from 'node:net'
import Client from 'undici/lib/dispatcher/client.js'
import type { Connector } from './connector.ts'

/** One connection to an API, used by one call at a time. */
export interface ApiConnection {
  readonly client: Client
  /** The one that was opened last; undefined before the first call. */
  socket?: Socket
}

/** The connections to one origin by one TLS identity. */
export interface ApiConnections {
  /** The one that was used last, if that is less than so long ago; else a new one. */
  take(maximumIdleMilliseconds: number): ApiConnection
  /** After an answer was read to its end. */
  giveBack(connection: ApiConnection): void
  /** After anything else: nobody uses it again. */
  discard(connection: ApiConnection): void
  close(): Promise<void>
}

interface Idle {
  readonly connection: ApiConnection
  readonly since: number
}

/** As long as anybody would take one; a server may say less. */
const keepAliveMilliseconds = 60_000
/** As many as one process has any use for: Lambda gives it one request at a time. */
const maximumIdle = 64

/** @param now the clock decides what is idle for too long, not a timer: a process that was frozen has not run any */
export function createApiConnections(origin: string, connect: Connector, now: () => number): ApiConnections {
  let idle: readonly Idle[] = []
  let isClosed = false

  function open(): ApiConnection {
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
    const connection: ApiConnection = { client }
    client.on('disconnect', () => {
      if (idle.some((each) => each.connection === connection)) discard(connection)
    })
    return connection
  }

  function discard(connection: ApiConnection): void {
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
    giveBack(connection) {
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
function isFree({ socket }: ApiConnection): boolean {
  return socket !== undefined && !socket.destroyed && socket.writableLength === 0
}
