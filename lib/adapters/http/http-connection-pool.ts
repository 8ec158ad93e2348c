import type { Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { readLiberally } from './answer-parser.ts'
import type { Connector } from './connector.ts'
import { Client, symbols } from './undici.ts'

/** One connection, used by one request at a time. */
export interface HttpConnection {
  readonly client: Client
  /** The socket that was opened last. Undefined before the first call. */
  socket?: Socket
  /** Why it ended. */
  endedBy?: Error
}

/** The HTTP connections to one origin with one TLS identity, for one connection of the elements. */
export interface HttpConnectionPool {
  /** Returns the most recently used connection that has rested and is not idle for too long, or else a new one. */
  take(maximumIdleMilliseconds: number): Promise<HttpConnection>
  /** Opens the connection if it is not open. Otherwise its first request does that. */
  open(connection: HttpConnection): Promise<void>
  /** Call it after an answer was read to its end. */
  giveBack(connection: HttpConnection): Promise<void>
  /** Call it in every other case. The connection is not used again. */
  discard(connection: HttpConnection): void
  close(): Promise<void>
}

interface Idle {
  readonly connection: HttpConnection
  readonly since: number
  readonly rest: Rest
  /** The bytes received until then. Any further byte belongs to no request. */
  readonly bytes: number | undefined
}

type Rest = ReturnType<typeof beginRest>

/**
 * An unrequested second answer comes close behind the first. While a socket rests it is read, and any byte closes it. Without the
 * rest the next call would get that answer, and each later call the answer of the call before. A call that comes sooner waits at
 * most this long. An answer that comes even later stays within one connection of the elements.
 */
const restMilliseconds = 20

/** More idle connections are of no use to one process: Lambda gives it one request at a time. */
const maximumIdle = 64

/**
 * @param keepAliveMilliseconds the longest time for which an idle connection is kept. A server may ask for less.
 * @param now the clock decides what is idle for too long, because timers do not run while Lambda freezes the process
 */
export function createHttpConnectionPool(
  origin: string,
  connect: Connector,
  keepAliveMilliseconds: number,
  now: () => number,
): HttpConnectionPool {
  let idle: readonly Idle[] = []
  let isClosed = false

  function create(): HttpConnection {
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
    client.on('connect', () => {
      if (connection.socket) readLiberally(connection.socket)
    })
    client.on('disconnect', (_origin, _clients, error) => {
      connection.endedBy = error
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
    async take(maximumIdleMilliseconds) {
      const fresh = idle.filter(({ since }) => now() - since < maximumIdleMilliseconds)
      const taken = fresh.findLast(({ rest }) => rest.isOver()) ?? fresh.at(-1)
      if (!taken) return create()
      idle = idle.filter((each) => each !== taken)
      await taken.rest.end()
      // What came while the process was busy or frozen, an end too, is read in this turn of the event loop.
      await setImmediate()
      if (isOpen(taken.connection) && bytesOf(taken.connection) === taken.bytes) return taken.connection
      discard(taken.connection)
      return create()
    },
    async open(connection) {
      if (isOpen(connection)) return
      const { client } = connection
      const opened = Promise.withResolvers<void>()
      client.once('connectionError', (_origin, _clients, error) => opened.reject(error))
      // undici has no other way to open a connection before a request. Its own tests use this method.
      Reflect.apply(Reflect.get(client, symbols.kConnect) as () => void, client, [opened.resolve])
      await opened.promise
    },
    async giveBack(connection) {
      // An answer may arrive before the socket reports that its request was sent.
      if (isSending(connection)) await setImmediate()
      if (isClosed || !isFree(connection)) return discard(connection)
      idle = [...idle, { connection, since: now(), rest: beginRest(), bytes: bytesOf(connection) }]
      const [first] = idle
      if (first && (idle.length > maximumIdle || now() - first.since > keepAliveMilliseconds)) discard(first.connection)
    },
    async close() {
      isClosed = true
      for (const { connection } of idle) discard(connection)
    },
  }
}

/** It uses a timer and not the clock, because a process that was busy for that long has not read the socket meanwhile. */
function beginRest() {
  const ended = Promise.withResolvers<void>()
  let isOver = false
  const timer = setTimeout(() => {
    isOver = true
    ended.resolve()
  }, restMilliseconds).unref()
  return {
    isOver: () => isOver,
    async end(): Promise<void> {
      if (!isOver) timer.ref()
      await ended.promise
    },
  }
}

/** Whether a request can be written to it at once. */
export function isOpen({ socket }: HttpConnection): boolean {
  return socket !== undefined && !socket.destroyed
}

/** Whether it is open and the whole request was sent. After an early answer a part may be unsent. */
function isFree(connection: HttpConnection): boolean {
  return isOpen(connection) && !isSending(connection)
}

function bytesOf({ socket }: HttpConnection): number | undefined {
  return socket?.bytesRead
}

function isSending({ socket }: HttpConnection): boolean {
  return socket !== undefined && socket.writableLength > 0
}
