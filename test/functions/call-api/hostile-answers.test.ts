import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { callBy, startCallApiWithScriptedServers } from '../../support/functions/call-api-with-scripted-servers.ts'
import type { Script } from '../../support/servers/scripted-api.ts'

/* An API that answers too early, too much or too little: no call gets the answer to another call. */

const okay = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n'

/** The API answers its first call with these bytes, and all others with `mine`. */
const first =
  (bytes: string): Script =>
  ({ socket }, _response, index) => {
    if (index > 0) return { body: 'mine' }
    socket.write(bytes)
    return undefined
  }

test('bytes that an API sends without a request are not the answer to the next call', async (t) => {
  const rows = [
    ['with its answer', `${okay}mine${okay}evil`, ''],
    ['a while after it', `${okay}mine`, `${okay}evil`],
    ['begun only', `${okay}mine`, 'HTTP/1.1 2'],
    ['no HTTP', `${okay}mine`, 'evil'],
    ['more than its length', `${okay}mineevil`, ''],
    ['an interim answer', `${okay}mine`, 'HTTP/1.1 103 Early Hints\r\n\r\n'],
  ] as const
  for (const [what, answer, later] of rows)
    for (const method of ['GET', 'POST']) {
      const { call, api } = await startCallApiWithScriptedServers(t, first(answer))
      assert.equal((await call()).body.toString(), 'mine', what)
      if (later) api.requests[0]?.socket.write(later)
      await setTimeout(50)
      const { status, body } = await call({ method })
      assert.deepEqual([status, body.toString()], [200, 'mine'], what)
      assert.deepEqual([api.requests.length, api.connections()], [2, 2], what)
    }
})

test('a second answer close behind the first closes the socket, however soon the next call comes', async (t) => {
  const [head, body] = [okay.slice(0, 20), `${okay.slice(20)}evil`]
  for (const pieces of [[`${okay}evil`], [head, body], ['\r\n', '\r\n', head, body], ['evil']])
    for (const milliseconds of [0, 1, 3, 10]) {
      const { call, api } = await startCallApiWithScriptedServers(t, ({ socket, url }) => {
        socket.write(`${okay}${url.slice(1)}`)
        for (const [index, piece] of pieces.entries())
          global.setTimeout(() => socket.write(piece), (milliseconds * (index + 1)) / pieces.length)
        return undefined
      })
      for (let index = 1000; index < 1010; index++) {
        const { status, body } = await call({ path: `/${index}`, method: index % 2 ? 'GET' : 'POST' })
        assert.deepEqual([status, body.toString()], [200, `${index}`], `${pieces.length} pieces in ${milliseconds} ms`)
      }
      assert.equal(api.connections(), 10)
    }
})

test('a second, late answer of an API stays with its connection: another connection to the same host has other sockets', async (t) => {
  const { api, handler } = await startCallApiWithScriptedServers(
    t,
    ({ socket, url }) => {
      if (url === '/theirs') return { body: 'theirs' }
      socket.write(`${okay}mine`)
      // So late that the client can't tell it from the answer to the next call.
      api.server.once('request', () => socket.write(`${okay}evil`))
      return undefined
    },
    { moreElements: ({ endpointConnection: { conn = {} } = {} }) => ({ endpointConnection: { conn, other: conn } }) },
  )
  for (let index = 0; index < 3; index++) {
    assert.match((await callBy(handler, { path: '/' })).body.toString(), /mine|evil/)
    assert.equal((await callBy(handler, { path: '/theirs', connection: 'other' })).body.toString(), 'theirs')
  }
})

test('interim answers such as 100 Continue are skipped, and a switch of protocols is an error', async (t) => {
  const rows = [
    ['100 Continue', 200],
    ['100 Continue\r\nx: y', 200],
    ['100 Continue\r\nconnection: close', 200],
    ['102 Processing', 200],
    ['103 Early Hints\r\nlink: </x>', 200],
    ['199 Odd', 200],
    ['101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x', 'http_protocol_error'],
    ['101 Switching Protocols', 'http_protocol_error'],
    ['099 Odd', 'http_protocol_error'],
    ['000 Odd', 'http_protocol_error'],
  ] as const
  for (const [head, expected] of rows)
    for (const isReused of [false, true]) {
      const { call, api } = await startCallApiWithScriptedServers(t, ({ socket, url }) => {
        if (url === '/before') return {}
        const bytes = `HTTP/1.1 ${head}\r\n\r\n${okay}mine`
        const at = bytes.indexOf(' ') + 3
        socket.write(bytes.slice(0, at))
        global.setTimeout(() => socket.write(bytes.slice(at)), 5)
        return undefined
      })
      if (isReused) await call({ path: '/before' })
      const { status, body, proxyError } = await call()
      assert.equal(proxyError ?? status, expected, head)
      if (expected === 200) assert.equal(body.toString(), 'mine', head)
      else assert.match(body.toString(), /The API may have acted on the request\./)
      assert.equal(api.requests.length, isReused ? 2 : 1, head)
    }
})

test('an answer that offers another protocol is returned', async (t) => {
  const { call } = await startCallApiWithScriptedServers(t, () => ({
    headers: { connection: 'upgrade', upgrade: 'h2c' },
    body: 'mine',
  }))
  assert.equal((await call()).body.toString(), 'mine')
})

test('a status that HTTP does not define is an error of the API, and its socket is not used again', async (t) => {
  for (const status of [600, 601, 700, 999])
    for (const method of ['GET', 'POST']) {
      const { call, api } = await startCallApiWithScriptedServers(t, ({ socket }, _response, index) => {
        if (index > 0) return {}
        socket.write(`HTTP/1.1 ${status} Odd\r\ncontent-length: 4\r\n\r\nmine`)
        return undefined
      })
      const answer = await call({ method })
      assert.deepEqual([answer.status, answer.proxyError], [502, 'http_protocol_error'], `${status}`)
      assert.match(answer.body.toString(), /The API may have acted on the request\./)
      assert.equal((await call()).status, 200)
      assert.deepEqual([api.requests.length, api.connections()], [2, 2])
    }
})

test('a body that an answer may not have does not become part of the next answer', async (t) => {
  const rows = [
    ['HEAD', 200, `HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n${okay}evil`],
    ['GET', 204, `HTTP/1.1 204 No Content\r\ncontent-length: 43\r\n\r\n${okay}evil`],
    ['GET', 304, `HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n${okay}evil`],
    ['GET', 304, `HTTP/1.1 304 Not Modified\r\n\r\n${okay}evil`],
  ] as const
  for (const [method, status, answer] of rows) {
    const { call, api } = await startCallApiWithScriptedServers(t, first(answer))
    const answered = await call({ method })
    assert.deepEqual([answered.status, answered.body.length], [status, 0])
    assert.equal((await call()).body.toString(), 'mine')
    assert.equal(api.requests.length, 2)
  }
})

test('an answer with an ambiguous length is an error', async (t) => {
  const rows = [
    ['transfer-encoding: chunked\r\ncontent-length: 4', '4\r\nmine\r\n0\r\n\r\n', undefined],
    ['transfer-encoding: chunked, identity', '4\r\nmine\r\n0\r\n\r\n', undefined],
    ['transfer-encoding: chunked', '4;x=y\r\nmine\r\n0\r\nx-trailer: 1\r\n\r\n', 'mine'],
    ['transfer-encoding: chunked', '-4\r\nmine\r\n0\r\n\r\n', undefined],
    ['transfer-encoding: chunked', '4\r\nminemore\r\n0\r\n\r\n', undefined],
    ['content-length: +4', 'mine', undefined],
    ['content-length: 4, 4', 'mine', undefined],
    ['content-length: 0x4', 'mine', undefined],
  ] as const
  for (const [header, body, expected] of rows) {
    const { call, api } = await startCallApiWithScriptedServers(t, ({ socket }, _response, index) => {
      if (index > 0) return { body: 'mine' }
      socket.end(`HTTP/1.1 200 OK\r\n${header}\r\n\r\n${body}`)
      return undefined
    })
    const answer = await call()
    const what = `${header} ${JSON.stringify(body)}`
    if (answer.proxyError === undefined && expected === undefined)
      assert.equal(answer.body.toString(), body, `${what}: to the end of the connection`)
    else if (expected === undefined) assert.equal(answer.proxyError, 'http_protocol_error', what)
    else assert.equal(answer.body.toString(), expected, what)
    assert.equal((await call()).body.toString(), 'mine')
    assert.equal(api.connections(), 2)
  }
})

test('an answer is read in all forms that HTTP lets a client accept', async (t) => {
  const rows = [
    `HTTP/1.1 200 OK\r\ncontent-length: 4  \r\n\r\nmine`,
    'HTTP/1.1 200 OK\r\nx-a: a\r\n b\r\ncontent-length: 4\r\n\r\nmine',
    'HTTP/1.1 200 OK\nx-a: a\n b\ncontent-length: 4\n\nmine',
    'HTTP/1.1 200 OK\r\nx-a: a b \r\ntransfer-encoding: chunked\r\n\r\n4  \r\nmine\r\n0\r\n\r\n',
    'HTTP/1.0 200 OK\r\nx-a: a b\r\n\r\nmine',
  ]
  for (const bytes of rows) {
    const { call } = await startCallApiWithScriptedServers(t, ({ socket }) => void socket.end(bytes))
    const { status, body, headers } = await call()
    assert.deepEqual([status, body.toString()], [200, 'mine'], bytes)
    if (bytes.includes('x-a')) assert.equal(headers['x-a'], 'a b', bytes)
  }
})

test('an unrequested transfer coding is decoded, or the answer is an error', async (t) => {
  for (const [coding, packed, expected] of [
    ['gzip, chunked', gzipSync('mine'), 'mine'],
    ['lzma, chunked', Buffer.from('mine'), undefined],
    ['gzip, chunked', Buffer.from('mine'), undefined],
  ] as const) {
    const { call } = await startCallApiWithScriptedServers(t, ({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: ${coding}\r\n\r\n${packed.length.toString(16)}\r\n`)
      socket.write(packed)
      socket.end('\r\n0\r\n\r\n')
      return undefined
    })
    const { body, proxyError } = await call()
    if (expected === undefined) assert.equal(proxyError, 'http_protocol_error', coding)
    else assert.equal(body.toString(), expected, coding)
  }
})

test('a control character in a header makes the answer invalid', async (t) => {
  for (const value of ['a\0b', 'a\x1bb', 'a\rb']) {
    const { call } = await startCallApiWithScriptedServers(t, ({ socket }) => {
      socket.end(`HTTP/1.1 200 OK\r\nx-a: ${value}\r\ncontent-length: 4\r\n\r\nmine`)
      return undefined
    })
    assert.equal((await call()).proxyError, 'http_protocol_error', JSON.stringify(value))
  }
})

test("endless interim answers end at the function's deadline", async (t) => {
  const { call } = await startCallApiWithScriptedServers(t, ({ socket }) => {
    const flood = setInterval(() => socket.write('HTTP/1.1 102 Processing\r\n\r\n'.repeat(100)), 20)
    socket.on('close', () => clearInterval(flood))
    return undefined
  })
  assert.equal((await call({ milliseconds: 4_100 })).proxyError, 'http_response_timeout')
})

test('a call is not repeated after the first byte of an answer', async (t) => {
  for (const bytes of ['H', 'HTTP/1.1 200 OK\r\nx-a: 1\r\n', 'HTTP/1.1 103 Early Hints\r\n\r\n']) {
    const { call, api } = await startCallApiWithScriptedServers(t, ({ socket }, _response, index) => {
      if (index !== 1) return {}
      socket.end(bytes)
      return undefined
    })
    await call()
    const { status, proxyError, body } = await call()
    assert.deepEqual([status, proxyError], [502, 'http_response_incomplete'])
    assert.match(body.toString(), /The API may have acted on the request\./)
    assert.equal(api.requests.length, 2)
  }
})

const upload = { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'x'.repeat(5_000_000) }

test('an answer that comes before the end of a large body is returned, and the TCP connection is not used again', async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t)
  let uploads = 0
  api.server.removeAllListeners('request')
  api.server.on('request', (request: IncomingMessage, response) => {
    if (request.method === 'GET') return response.end('mine')
    uploads++
    // Stops reading, and keeps the TCP connection open.
    request.pause()
    return request.socket.write('HTTP/1.1 413 Payload Too Large\r\ncontent-length: 3\r\n\r\nbig')
  })
  for (let index = 0; index < 3; index++) {
    const { status, body } = await call(upload)
    assert.deepEqual([status, body.toString()], [413, 'big'])
    assert.equal((await call({ milliseconds: 9_000 })).body.toString(), 'mine')
  }
  assert.equal(uploads, 3)
})

test('if an API answers during a large body and closes, the caller gets that answer or a connection error', async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t)
  api.server.removeAllListeners('request')
  api.server.on('request', (request: IncomingMessage) => {
    request.socket.end('HTTP/1.1 413 Payload Too Large\r\nconnection: close\r\ncontent-length: 3\r\n\r\nbig')
    void once(request.socket, 'finish').then(() => request.socket.destroy())
  })
  for (let index = 0; index < 5; index++) {
    const { status, body } = await call(upload)
    if (status !== 413)
      assert.match(body.toString(), /connection_terminated|http_response_incomplete.*It may have done/)
  }
})

test('if a TCP connection closes before anything is sent, another one is used, or the error says that nothing was sent', async (t) => {
  for (const isGone of [false, true]) {
    const { call, api } = await startCallApiWithScriptedServers(t)
    await call()
    // In the timers phase: in the next phase the client learns that the connection is closed, and writes only after that.
    await setTimeout(20)
    if (isGone) api.server.close()
    api.requests[0]?.socket.destroy()
    const { status, proxyError, body } = await call({ method: 'POST' })
    if (isGone) {
      assert.deepEqual([status, proxyError], [502, 'connection_refused'])
      assert.match(body.toString(), /The API did not get the request\./)
    } else assert.equal(status, 200)
  }
})

test('a call is not repeated again if the TCP connection that replaced a closed one fails', async (t) => {
  const { call, api } = await startCallApiWithScriptedServers(t, ({ socket }, _response, index) => {
    if (index === 0) return {}
    socket.destroy()
    return undefined
  })
  await call()
  await setTimeout(20)
  api.requests[0]?.socket.destroy()
  assert.equal((await call()).proxyError, 'connection_terminated')
  assert.deepEqual([api.requests.length, api.connections()], [2, 2])
})
