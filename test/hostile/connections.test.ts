import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { exampleElements } from '../support/elements/elements.ts'
import {
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest } from '../support/functions/load-function.ts'

test('a connection to a server is kept and used again', async (t) => {
  const sockets = new Set<unknown>()
  const set = await startIssueTokenWithScriptedServer(t, exampleElements, (_request, response) => {
    sockets.add(response.socket)
    return tokenAnswer()
  })
  for (const scope of ['a', 'b', 'c'])
    assert.equal((await set.http(tokenRequest('conn', `scope=${scope}`))).status, 200)
  assert.equal(sockets.size, 1)
})

test('a kept connection that is dead costs one repetition, with a new assertion', async (t) => {
  const used = new WeakSet<object>()
  const set = await startIssueTokenWithScriptedServer(t, exampleElements, (_request, response) => {
    const { socket } = response
    if (socket && used.has(socket)) return void socket.destroy()
    if (socket) used.add(socket)
    return tokenAnswer()
  })
  for (const scope of ['a', 'b', 'c']) {
    const { status, body } = await set.http(tokenRequest('conn', `scope=${scope}`))
    assert.equal(status, 200)
    assert.equal(body['source'], 'server')
  }
  assert.equal(set.requests.length, 5, 'each request except the first met a dead connection')
  assert.equal(new Set(set.requests.map(({ jwtId }) => jwtId)).size, 5)
})

test('a connection that the server closed while it was idle is not used again', async (t) => {
  const set = await startIssueTokenWithScriptedServer(t, exampleElements, (_request, response) => {
    setTimeout(() => response.socket?.destroy(), 50)
    return tokenAnswer()
  })
  for (const scope of ['a', 'b', 'c']) {
    assert.equal((await set.http(tokenRequest('conn', `scope=${scope}`))).status, 200)
    await pause(150)
  }
  assert.equal(set.requests.length, 3)
})

test('a server has at most as many requests at a time as its element allows, and the others wait', async (t) => {
  let underWay = 0
  let most = 0
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => exampleElements(issuer, { server: { maximumConcurrency: 3 } }),
    (_request, response) => {
      most = Math.max(most, ++underWay)
      setTimeout(() => {
        underWay--
        response.end(JSON.stringify(tokenAnswer().body))
      }, 20)
      return undefined
    },
  )
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, index) => set.http(tokenRequest('conn', `scope=scope-${index}`))),
  )
  assert.ok(answers.every(({ status }) => status === 200))
  assert.equal(most, 3)
})

test('an outage of a server holds for every connection that uses the server', async (t) => {
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => ({
      ...exampleElements(issuer),
      endpointConnection: {
        conn: { authenticationConfigRef: 'theConfig' },
        other: { authenticationConfigRef: 'theConfig' },
      },
    }),
    () => ({ status: 503, headers: { 'retry-after': '60' } }),
  )
  for (const connection of ['conn', 'other']) assert.equal((await set.http(tokenRequest(connection))).status, 503)
  assert.equal(set.requests.length, 1)
})

test('an answer without a request is not used for the next request', async (t) => {
  const answer = (token: string) => {
    const body = JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: 300 })
    return `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  }
  for (const milliseconds of [0, 50]) {
    const set = await startIssueTokenWithScriptedServer(t, exampleElements, ({ form }, { socket }) => {
      const scope = form.get('scope')
      socket?.write(answer(`the-token-for-${scope}`))
      setTimeout(() => socket?.write(answer('a-token-for-nobody')), milliseconds)
      return undefined
    })
    for (const scope of ['a', 'b', 'c']) {
      const { body } = await set.http(tokenRequest('conn', `scope=${scope}`))
      assert.equal(body['access_token'], `the-token-for-${scope}`)
      await pause(100)
    }
  }
})
