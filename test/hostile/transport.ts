import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import {
  always,
  type Behaviour,
  type Expectation,
  type Family,
  fine,
  fineText,
  type HostileScript,
  hostileToken,
  hurried,
  raw,
  recovers,
  repeated,
  timeOut,
  token,
  unreadable,
} from './behaviour.ts'

const say = (name: string, script: HostileScript, expectation: Expectation): Behaviour => ({
  name,
  script,
  ...expectation,
})

/** The answer never ends, or ends too late. The timeouts are 0.2 s and 0.3 s. */
const endless = (name: string, script: HostileScript, expectation = timeOut): Behaviour => ({
  name,
  script,
  changes: hurried,
  hangs: true,
  ...expectation,
})

/** A status line and headers around a valid answer, or around another body. */
const answer = (headers: string, body = fineText()): string => `${headers.replaceAll('\n', '\r\n')}\r\n\r\n${body}`
const fineAnswer = (more = '', body = fineText()) =>
  answer(`HTTP/1.1 200 OK\ncontent-type: application/json\ncontent-length: ${body.length}${more}`, body)
const withHeaders = (name: string, headers: string, expectation: Expectation, body = () => fineText()): Behaviour =>
  say(
    name,
    raw(() => answer(headers, body())),
    expectation,
  )

/** Sends the same bytes at this interval, until the client gives up. */
function drip(response: ServerResponse, bytes: string, milliseconds: number): undefined {
  const { socket } = response
  const dripping = setInterval(() => socket?.write(bytes), milliseconds)
  socket?.on('close', () => clearInterval(dripping))
}

/** Sends the same bytes as fast as the client reads them. */
function flood(response: ServerResponse, head: string, bytes: string): undefined {
  const { socket } = response
  // The client runs in the same process, and must get time to run.
  const pour = (to: Socket): void => {
    if (!to.destroyed) to.write(bytes, () => setTimeout(pour, 1, to))
  }
  socket?.write(head)
  if (socket) pour(socket)
}

const resets: readonly Behaviour[] = [
  {
    name: 'reset before the handshake',
    script: () => undefined,
    endpoint: async () => ({ takesOver: (socket) => socket.resetAndDestroy() !== undefined }),
    ...repeated,
  },
  {
    name: 'closed before the handshake',
    script: () => undefined,
    endpoint: async () => ({ takesOver: (socket) => socket.end() !== undefined }),
    ...repeated,
  },
  {
    name: 'reset within the handshake',
    script: () => undefined,
    endpoint: async () => ({
      takesOver: (socket) => socket.once('data', () => socket.resetAndDestroy()) !== undefined,
    }),
    ...repeated,
  },
  {
    name: 'reset before the request',
    script: () => undefined,
    endpoint: async () => ({ onSecured: (socket) => void socket.destroy() }),
    ...repeated,
  },
  say('reset before the answer', (_request, { socket }) => void socket?.destroy(), repeated),
  say(
    'reset before the answer, then a token',
    (_request, { socket }, index) => (index === 0 ? void socket?.destroy() : fine()),
    recovers,
  ),
  say(
    'reset within the status line',
    raw(() => 'HTTP/1.1 2'),
    repeated,
  ),
  say(
    'reset within the headers',
    raw(() => 'HTTP/1.1 200 OK\r\ncontent-ty'),
    repeated,
  ),
  say(
    'reset after the headers',
    raw(() => answer('HTTP/1.1 200 OK\ncontent-length: 100', '')),
    repeated,
  ),
  say(
    'reset within the body',
    (_request, response) => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('{"access_token":', () => response.socket?.destroy())
      return undefined
    },
    repeated,
  ),
  say(
    'reset before the last chunk',
    (_request, response) => {
      response.writeHead(200)
      response.write(fineText(), () => response.socket?.destroy())
      return undefined
    },
    repeated,
  ),
  say(
    'reset after the answer',
    (_request, response) => {
      response.end(fineText(), () => response.socket?.destroy())
      return undefined
    },
    token(),
  ),
]

const slow: readonly Behaviour[] = [
  endless('no answer', () => undefined),
  endless('a body that sends a byte every 50 ms', (_request, response) => {
    response.writeHead(200)
    response.flushHeaders()
    return drip(response, '1\r\n \r\n', 50)
  }),
  {
    name: 'a body that sends a byte every second',
    script: (_request, response) => {
      response.writeHead(200)
      response.flushHeaders()
      return drip(response, '1\r\n \r\n', 1_000)
    },
    changes: { server: { connectionTimeout: '200ms', receiveTimeout: '1500ms' } },
    hangs: true,
    ...timeOut,
  },
  endless('a body that stops', (_request, response) => {
    response.writeHead(200)
    response.write(fineText().slice(0, 20))
    return undefined
  }),
  endless('a content-length longer than the body', (_request, response) => {
    response.writeHead(200, { 'content-length': '1000' })
    response.write(fineText())
    return undefined
  }),
  endless('a header that sends a byte every 50 ms', (_request, response) => {
    response.socket?.write('HTTP/1.1 200 OK\r\npadding: ')
    return drip(response, 'x', 50)
  }),
  endless('a header every 50 ms', (_request, response) => {
    response.socket?.write('HTTP/1.1 200 OK\r\n')
    return drip(response, 'padding: x\r\n', 50)
  }),
  endless('100 Continue every 50 ms', (_request, response) => drip(response, 'HTTP/1.1 100 Continue\r\n\r\n', 50)),
  endless('103 Early Hints every 50 ms', (_request, response) =>
    drip(response, 'HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n', 50),
  ),
]

const floods: readonly Behaviour[] = [
  say(
    'headers without end',
    (_request, response) => flood(response, 'HTTP/1.1 200 OK\r\n', 'padding: x\r\n'.repeat(1_000)),
    unreadable,
  ),
  say(
    'a header without end',
    (_request, response) => flood(response, 'HTTP/1.1 200 OK\r\npadding: ', 'x'.repeat(16_000)),
    unreadable,
  ),
  endless('a status line without end', (_request, response) => flood(response, 'HTTP/1.1 200 ', 'x'.repeat(16_000))),
  say(
    'headers of 1 MB',
    always(() => ({ ...fine(), headers: { padding: 'x'.repeat(1_000_000) } })),
    unreadable,
  ),
  say(
    'a body without end',
    (_request, response) => flood(response, 'HTTP/1.1 200 OK\r\n\r\n', ' '.repeat(16_000)),
    unreadable,
  ),
  say(
    'chunks without end',
    (_request, response) =>
      flood(response, 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n', '1\r\n \r\n'.repeat(1_000)),
    unreadable,
  ),
  endless('a chunk extension without end', (_request, response) =>
    flood(response, 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;', 'x'.repeat(16_000)),
  ),
  say(
    'trailers without end',
    (_request, response) =>
      flood(response, 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n', 'padding: x\r\n'.repeat(1_000)),
    unreadable,
  ),
  endless('100 Continue without end', (_request, response) =>
    flood(response, '', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(1_000)),
  ),
  endless('103 Early Hints without end', (_request, response) =>
    flood(response, '', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(500)),
  ),
  say(
    '100 Continue, then a token',
    raw(() => `HTTP/1.1 100 Continue\r\n\r\n${fineAnswer()}`),
    token(),
  ),
  say(
    '100 Continue three times and 102 Processing, then a token',
    raw(() => `${'HTTP/1.1 100 Continue\r\n\r\n'.repeat(3)}HTTP/1.1 102 Processing\r\n\r\n${fineAnswer()}`),
    token(),
  ),
  say(
    '100 Continue with Connection: close, then a token',
    raw(() => `HTTP/1.1 100 Continue\r\nconnection: close\r\n\r\n${fineAnswer()}`),
    token(),
  ),
  say(
    '103 Early Hints 20 times, then a token',
    raw(() => 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(20) + fineAnswer()),
    token(),
  ),
  withHeaders(
    '101 Switching Protocols',
    'HTTP/1.1 101 Switching Protocols\nconnection: upgrade\nupgrade: x',
    unreadable,
  ),
]

const odd: readonly Behaviour[] = [
  say(
    'an answer that is not HTTP',
    raw(() => 'SSH-2.0-OpenSSH_9.6\r\n'),
    unreadable,
  ),
  say(
    'a body without a status line',
    raw(() => fineText()),
    unreadable,
  ),
  withHeaders('HTTP/0.9', 'HTTP/0.9 200 OK', token()),
  withHeaders('HTTP/2.0 in the status line', 'HTTP/2.0 200 OK', token()),
  withHeaders(
    'HTTP/1.0, a body that ends with the connection',
    'HTTP/1.0 200 OK\ncontent-type: application/json',
    token(),
  ),
  withHeaders('a status line without a reason', 'HTTP/1.1 200', token()),
  withHeaders('status 99', 'HTTP/1.1 99 Odd', unreadable),
  withHeaders('status 2000', 'HTTP/1.1 2000 Odd', unreadable),
  withHeaders('status -200', 'HTTP/1.1 -200 Odd', unreadable),
  withHeaders('a negative content-length', 'HTTP/1.1 200 OK\ncontent-length: -1', unreadable),
  withHeaders('two content-lengths', 'HTTP/1.1 200 OK\ncontent-length: 5\ncontent-length: 500', unreadable),
  withHeaders('a content-length shorter than the body', 'HTTP/1.1 200 OK\ncontent-length: 20', unreadable),
  withHeaders(
    'content-length and chunks',
    'HTTP/1.1 200 OK\ncontent-length: 5\ntransfer-encoding: chunked',
    unreadable,
  ),
  withHeaders(
    'chunks with extensions and a trailer',
    'HTTP/1.1 200 OK\ntransfer-encoding: chunked\ntrailer: x',
    token(),
    () => {
      const body = fineText()
      return `${body.length.toString(16)};a="b c"\r\n${body}\r\n0;last\r\nx: y\r\n\r\n`
    },
  ),
  withHeaders('an offer of HTTP/2', 'HTTP/1.1 200 OK\nupgrade: h2\nconnection: upgrade', token()),
  withHeaders('chunks without a size', 'HTTP/1.1 200 OK\ntransfer-encoding: chunked', unreadable, () => 'xyz\r\n'),
  withHeaders('a header without a name', 'HTTP/1.1 200 OK\n: x', unreadable),
  withHeaders('a header without a colon', 'HTTP/1.1 200 OK\nodd', unreadable),
  withHeaders('a header with a NUL', 'HTTP/1.1 200 OK\nodd: a\0b', unreadable),
  withHeaders('a header over two lines', 'HTTP/1.1 200 OK\nodd: a\n b', token()),
  say(
    'lines that end with only a line feed',
    raw(() => `HTTP/1.1 200 OK\n\n${fineText()}`),
    token(),
  ),
  say(
    'two answers to one request',
    raw(() => fineAnswer() + fineAnswer()),
    token(),
  ),
  say(
    'the connection closed after each answer',
    always(() => ({ ...fine(), headers: { connection: 'close' } })),
    token(),
  ),
  say(
    'a keep-alive time of 0',
    always(() => ({ ...fine(), headers: { 'keep-alive': 'timeout=0, max=0' } })),
    token(),
  ),
  say(
    'a cookie',
    always(() => ({ ...fine(), headers: { 'set-cookie': `session=${hostileToken()}` } })),
    token(),
  ),
  say(
    'the token in a header, too',
    always(() => ({ ...fine(), headers: { 'x-token': hostileToken(), authorization: `Bearer ${hostileToken()}` } })),
    token(),
  ),
]

export const transport: Family = {
  title: 'Transport',
  behaviours: [...resets, ...slow, ...floods, ...odd],
}
