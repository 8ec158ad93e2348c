import type { Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { readLiberally } from './answer-parser.ts'
import type { Connector } from './connector.ts'
import { Client } from './undici.ts'

/** One connection, used by one request at a time. */
export interface HttpConnection {
  readonly client: Client
  /** The one that was opened last; undefined before the first call. */
  socket?: Socket
}

/** The connections to one origin by one TLS identity, for one connection of the elements. */
export interface HttpConnectionPool {
  /** The one that was used last and has rested, if that is less than so long ago; else a new one. */
  take(maximumIdleMilliseconds: number): Promise<HttpConnection>
  /** After an answer was read to its end. */
  giveBack(connection: HttpConnection): Promise<void>
  /** After anything else: nobody uses it again. */
  discard(connection: HttpConnection): void
  close(): Promise<void>
}

interface Idle {
  readonly connection: HttpConnection
  readonly since: number
  readonly rest: Rest
  /** That had come by then: any more are nobody's answer. */
  readonly bytes: number | undefined
}

type Rest = ReturnType<typeof beginRest>

/**
 * A second answer that nobody asked for comes close behind the first. While a socket rests it is read, and any byte ends it.
 * Without the rest the next call would take that answer for its own, and each later call the answer of the call before.
 * It costs a call that comes sooner than that at most so long. What comes still later stays within the elements' connection.
 */
const restMilliseconds = 20

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
    client.on('connect', () => {
      if (connection.socket) readLiberally(connection.socket)
    })
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
    async take(maximumIdleMilliseconds) {
      const fresh = idle.filter(({ since }) => now() - since < maximumIdleMilliseconds)
      const taken = fresh.findLast(({ rest }) => rest.isOver()) ?? fresh.at(-1)
      if (!taken) return open()
      idle = idle.filter((each) => each !== taken)
      await taken.rest.end()
      // What came while the process was busy, or frozen, is read in this turn.
      await setImmediate()
      if (bytesOf(taken.connection) === taken.bytes) return taken.connection
      discard(taken.connection)
      return open()
    },
    async giveBack(connection) {
      // An answer may be faster than the word that its request was sent.
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

/** By a timer, not by the clock: a process that was busy for so long has not read meanwhile. */
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

/** Neither closed, nor with a part of the request still on its way, which may be after an early answer. */
function isFree(connection: HttpConnection): boolean {
  const { socket } = connection
  return socket !== undefined && !socket.destroyed && !isSending(connection)
}

function bytesOf({ socket }: HttpConnection): number | undefined {
  return socket?.bytesRead
}

function isSending({ socket }: HttpConnection): boolean {
  return socket !== undefined && socket.writableLength > 0
}
