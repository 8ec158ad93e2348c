import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exampleElements } from '../../support/elements/elements.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'
import {
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest } from '../../support/functions/load-function.ts'
import { captureLog } from '../../support/output/captured-log.ts'
import { createTokensInVirtualTime, virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'

const passOn = ['instance_url', 'id', 'organization_id', 'is_sandbox', 'seats']
const members = { instance_url: 'https://acme.example.com', id: 'the-id-of-acme', is_sandbox: false, seats: 12 }

test('callers get the members that passOn names beside the token, over HTTP and directly, from every source', async (t) => {
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => exampleElements(issuer, { oAuth: { passOn } }),
    () => tokenAnswer({ ...members, refresh_token: 'never-for-callers', unnamed: 'x' }),
  )
  const first = await set.http(tokenRequest('conn'))
  const own = ['access_token', 'expires_in', 'source', 'token_id', 'token_type']
  assert.deepEqual(Object.keys(first.body).sort(), [...own, ...Object.keys(members)].sort())
  for (const answer of [
    first.body,
    (await set.http(tokenRequest('conn'))).body,
    await set.invoke({ connection: 'conn' }),
  ])
    assert.deepEqual({ ...answer, ...members }, answer)
  assert.equal(set.requests.length, 1)
})

test('without passOn callers get no further member', async (t) => {
  const set = await startIssueTokenWithScriptedServer(t, exampleElements, () => tokenAnswer(members))
  const { body } = await set.http(tokenRequest('conn'))
  assert.deepEqual(Object.keys(body).sort(), ['access_token', 'expires_in', 'source', 'token_id', 'token_type'])
})

test('a token that replaces another one has the new values', async (t) => {
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => exampleElements(issuer, { oAuth: { passOn } }),
    (_request, _response, index) => tokenAnswer({ ...members, seats: index }),
  )
  const { body } = await set.http(tokenRequest('conn'))
  const rejected = `rejected_token_id=${body['token_id']}`
  const again = await set.http({ ...tokenRequest('conn'), query: rejected })
  assert.deepEqual([body['seats'], again.body['seats']], [0, 1])
})

test('a member that cannot be passed on costs no token: the log names it without its value', async (t) => {
  const log = captureLog(t)
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => exampleElements(issuer, { oAuth: { passOn } }),
    () => tokenAnswer({ ...members, id: { of: 'the-id-of-acme' } }),
  )
  const { status, body } = await set.http(tokenRequest('conn'))
  assert.deepEqual([status, body['id'], body['instance_url']], [200, undefined, members.instance_url])
  const leftOut = log.filter(({ event }) => event === 'answer_member_left_out')
  assert.deepEqual(
    leftOut.map((each) => 'member' in each && each.member),
    ['id', 'organization_id'],
  )
  await set.http({ method: 'GET', path: '/connections' })
  assert.doesNotMatch(JSON.stringify(log), /the-id-of-acme|acme\.example\.com/)
})

test('the list of connections shows no value of a member', async (t) => {
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => exampleElements(issuer, { oAuth: { passOn } }),
    () => tokenAnswer(members),
  )
  await set.http(tokenRequest('conn'))
  const { body } = await set.http({ method: 'GET', path: '/connections' })
  assert.doesNotMatch(JSON.stringify(body), /the-id-of-acme|acme\.example\.com/)
})

test('another process gets the members from the shared cache, and with a renewed token the new ones', async () => {
  const connection = { ...plainConnection, passOn }
  const endpoint = () => virtualToken({ ...members, seats: seats++ })
  let seats = 0
  const first = createTokensInVirtualTime(endpoint, { connection })
  const second = createTokensInVirtualTime(endpoint, { connection, fleet: first })
  const { token } = await first.time.until(first.get())
  const shared = await first.time.until(second.get())
  assert.deepEqual([shared.source, shared.token.passedOn], ['cache', { ...members, seats: 0 }])
  await first.time.advance(11_000)
  const renewed = await first.time.until(second.get({ rejectedTokenId: token.id }))
  assert.deepEqual(renewed.token.passedOn, { ...members, seats: 1 })
  const fromCache = await first.time.until(first.get({ rejectedTokenId: token.id }))
  assert.deepEqual([fromCache.source, fromCache.token.passedOn], ['cache', { ...members, seats: 1 }])
})
