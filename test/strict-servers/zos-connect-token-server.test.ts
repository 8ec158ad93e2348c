import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { decodeJwt } from 'jose'
import {
  type StrictZosConnectTokenServer,
  type StrictZosConnectTokenServerOptions,
  startStrictZosConnectTokenServer,
} from '../support/servers/strict-zos-connect-token-server.ts'
import { type Call, callByHand, clock, now } from './hand-made-call.ts'

type Options = Partial<StrictZosConnectTokenServerOptions>

function tokenServer(t: TestContext, options: Options = {}): Promise<StrictZosConnectTokenServer> {
  return startStrictZosConnectTokenServer(t, {
    credentials: { in: 'basic' },
    token: { in: 'JSON', path: ['data', 'token'] },
    ...clock,
    ...options,
  })
}

const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
const path = '/JWTTokenGenerator/getJwtToken'
const json = { 'content-type': 'application/json' }
const form = { 'content-type': 'application/x-www-form-urlencoded' }

const inHeader: Call = { method: 'POST', path, headers: { authorization: basic('jwtuser', 'jwtpassword') } }
const inBody: Call = { method: 'POST', path, headers: json, body: { id: 'jwtuser', secret: 'jwtpassword' } }
const inHeaders: Call = { method: 'POST', path, headers: { 'x-id': 'jwtuser', 'x-secret': 'jwtpassword' } }

const body: Options = { credentials: { in: 'body', user: 'id', password: 'secret' } }
const formBody: Options = { credentials: { in: 'body', form: 'form', user: 'id', password: 'secret' } }
const headers: Options = { credentials: { in: 'headers', user: 'X-Id', password: 'X-Secret' } }
const otherHeader: Options = { credentials: { in: 'basic', header: 'X-Credential' } }

const refused: Readonly<Record<string, readonly [Options, Call, Call, status: number]>> = {
  'another method': [{ method: 'GET' }, inHeader, {}, 405],
  'no credentials': [{}, inHeader, { headers: { authorization: undefined } }, 401],
  'another user': [{}, inHeader, { headers: { authorization: basic('another', 'jwtpassword') } }, 401],
  'another password': [{}, inHeader, { headers: { authorization: basic('jwtuser', 'another') } }, 401],
  'another scheme': [{}, inHeader, { headers: { authorization: 'Bearer a' } }, 401],
  'a body beside Basic': [{}, inHeader, { body: {} }, 400],
  'Authorization for another header': [otherHeader, inHeader, {}, 400],
  'Authorization beside a body': [body, inBody, { headers: { authorization: basic('jwtuser', 'jwtpassword') } }, 400],
  'a form for JSON': [body, inBody, { headers: form, body: 'id=jwtuser&secret=jwtpassword' }, 415],
  'JSON for a form': [formBody, inBody, {}, 415],
  'another member': [body, inBody, { body: { id: 'jwtuser', secret: 'jwtpassword', grant_type: 'password' } }, 400],
  'a member left out': [body, inBody, { body: { id: 'jwtuser' } }, 400],
  'a body that is not JSON': [body, inBody, { body: '{"id":' }, 400],
  'another password in the body': [body, inBody, { body: { id: 'jwtuser', secret: 'another' } }, 401],
  'another password in a header': [headers, inHeaders, { headers: { 'x-secret': 'another' } }, 401],
  'one header left out': [headers, inHeaders, { headers: { 'x-id': undefined } }, 401],
  'Authorization beside two headers': [headers, inHeaders, { headers: { authorization: 'Basic a' } }, 400],
}

for (const [deviation, [options, call, changes, status]] of Object.entries(refused))
  test(`the token server refuses ${deviation}, without a body`, async (t) => {
    const server = await tokenServer(t, options)
    const answer = await callByHand(server, call, changes)
    assert.deepEqual([answer.status, answer.text], [status, ''])
    assert.deepEqual([server.accepted.length, server.issued.length, server.refusals.length], [0, 0, 1])
  })

const accepted: Readonly<Record<string, readonly [Options, Call]>> = {
  'HTTP Basic': [{}, inHeader],
  'HTTP Basic in another header': [
    otherHeader,
    { ...inHeader, headers: { 'x-credential': basic('jwtuser', 'jwtpassword') } },
  ],
  'HTTP Basic by GET': [{ method: 'GET' }, { ...inHeader, method: 'GET' }],
  'a JSON body by PUT': [
    { ...body, method: 'PUT' },
    { ...inBody, method: 'PUT' },
  ],
  'a form': [formBody, { ...inBody, headers: form, body: 'secret=jwtpassword&id=jwtuser' }],
  'two headers': [headers, inHeaders],
  'a user and a password of its own': [
    { user: 'u', password: 'p:p' },
    { ...inHeader, headers: { authorization: basic('u', 'p:p') } },
  ],
}

for (const [way, [options, call]] of Object.entries(accepted))
  test(`the token server takes credentials by ${way}`, async (t) => {
    const server = await tokenServer(t, options)
    const answer = await callByHand(server, call)
    assert.equal(answer.status, 200)
    assert.deepEqual(answer.body, { data: { token: server.issued[0] } })
    assert.equal(server.accepted.length, 1)
  })

test('the token server answers the JWT in a header, as text or as a member', async (t) => {
  const byHeader = await tokenServer(t, { token: { in: 'header', header: 'JWTAuthorization' } })
  const answer = await callByHand(byHeader, inHeader)
  assert.deepEqual([answer.headers['jwtauthorization'], answer.text], [byHeader.issued[0], ''])
  const byText = await tokenServer(t, { token: { in: 'text' } })
  assert.equal((await callByHand(byText, inHeader)).text, byText.issued[0])
})

test('the JWT has the life and the jti that the test chooses, and no two are equal', async (t) => {
  const claimsOf = async (options: Options) => {
    const server = await tokenServer(t, options)
    await callByHand(server, inHeader)
    await callByHand(server, inHeader)
    assert.equal(new Set(server.issued).size, 2)
    return decodeJwt(server.issued[0] ?? '')
  }
  const { exp, jti } = await claimsOf({})
  assert.deepEqual([exp, jti], [now + 300, undefined])
  assert.equal((await claimsOf({ lifeSeconds: null })).exp, undefined)
  assert.match(String((await claimsOf({ hasJti: true })).jti), /^[\da-f-]{36}$/)
})

test('the API takes a JWT of the token server in its header, until it ends or is revoked', async (t) => {
  let seconds = now
  const server = await tokenServer(t, { now: () => seconds * 1000 })
  await callByHand(server, inHeader)
  const [jwt = ''] = server.issued
  const call = async (name: string, value: string) =>
    (await callByHand(server, { path: '/orders', headers: { [name]: value } })).status
  assert.equal(await call('myJWT-header-name', `Bearer ${jwt}`), 200)
  assert.equal(await call('myJWT-header-name', jwt), 401)
  assert.equal(await call('authorization', `Bearer ${jwt}`), 401)
  assert.equal(await call('myJWT-header-name', `Bearer ${jwt.slice(0, -1)}`), 401)
  seconds += 300
  assert.equal(await call('myJWT-header-name', `Bearer ${jwt}`), 401)
  seconds = now
  server.revoke(jwt)
  assert.equal(await call('myJWT-header-name', `Bearer ${jwt}`), 401)
})

test('the API can want the JWT alone', async (t) => {
  const server = await tokenServer(t, { api: { header: 'X-Token', scheme: '' } })
  await callByHand(server, inHeader)
  const [jwt = ''] = server.issued
  const statusOf = async (value: string) =>
    (await callByHand(server, { path: '/orders', headers: { 'x-token': value } })).status
  assert.deepEqual([await statusOf(jwt), await statusOf(`Bearer ${jwt}`)], [200, 401])
})
