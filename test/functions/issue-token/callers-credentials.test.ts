import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { decodeJwt } from 'jose'
import type { RawElements } from '../../support/elements/elements.ts'
import { type Caller, createWorkspace, startCaller } from '../../support/functions/function-caller.ts'
import { tokenRequest } from '../../support/functions/load-function.ts'
import { captureLog } from '../../support/output/captured-log.ts'
import {
  type Credentials,
  type StrictZosConnectTokenServer,
  startStrictZosConnectTokenServer,
} from '../../support/servers/strict-zos-connect-token-server.ts'

/* Tokens of an `authToken` whose requests bring the user and the password, as an application of z/OS Connect does. */

type Attributes = Readonly<Record<string, unknown>>

const passwords = { alice: 'the "pass" of alice & 1+1=2%', bob: 'the word of bob' } as const

const ways: Readonly<Record<string, readonly [Credentials, Attributes]>> = {
  'a header': [{ in: 'basic' }, {}],
  'another header': [{ in: 'basic', header: 'X-Login' }, { header: 'X-Login' }],
  'two headers': [
    { in: 'headers', user: 'X-User', password: 'X-Password' },
    { userHeader: 'X-User', passwordHeader: 'X-Password' },
  ],
  'a JSON body': [
    { in: 'body', user: 'name', password: 'secret' },
    { credentialLocation: 'body', requestBody: { name: { user: true }, secret: { password: true } } },
  ],
  'a form': [
    { in: 'body', form: 'form', user: 'name', password: 'secret' },
    {
      credentialLocation: 'body',
      bodyFormat: 'form',
      requestBody: { name: { user: true }, secret: { password: true } },
    },
  ],
}

const whereTrusted = {
  ssl: { defaultSSLConfig: { trustStoreRef: 'theTrust' } },
  keyStore: { theTrust: { location: 'tokenwell/local/authorization-server-ca' } },
}

function elementsFor({ tokenEndpoint }: StrictZosConnectTokenServer, tokenRequest: Attributes): RawElements {
  return {
    endpointConnection: { conn: { authenticationConfigRef: 'myJWTConfig' } },
    authToken: {
      myJWTConfig: {
        authServerRef: 'myJWTserver',
        tokenRequest: { credentialsFrom: 'caller', ...tokenRequest },
        tokenResponse: { responseFormat: 'JSON', tokenPath: 'data.token' },
      },
    },
    authorizationServer: { myJWTserver: { tokenEndpoint } },
    ...whereTrusted,
  }
}

interface Started extends Caller {
  readonly server: StrictZosConnectTokenServer
  ask(username: string, password: string, caller?: Caller): ReturnType<Caller['http']>
}

async function start(t: TestContext, way = 'a header', environment?: Record<string, string>): Promise<Started> {
  const [credentials, attributes] = ways[way] ?? assert.fail(way)
  const server = await startStrictZosConnectTokenServer(t, {
    credentials,
    token: { in: 'JSON', path: ['data', 'token'] },
    user: 'alice',
    password: passwords.alice,
    others: { bob: passwords.bob },
  })
  const workspace = await createWorkspace(t, elementsFor(server, attributes), server.certificate)
  const caller = await startCaller(workspace, environment)
  return {
    ...caller,
    server,
    ask: async (username, password, { http } = caller) =>
      await http(tokenRequest('conn', new URLSearchParams({ username, password }).toString())),
  }
}

for (const way of Object.keys(ways))
  test(`the user and the password of a request are in ${way}, and each user has a token of its own`, async (t) => {
    const { ask, server } = await start(t, way)
    for (const source of ['server', 'memory'])
      for (const user of ['alice', 'bob'] as const) {
        const { status, body } = await ask(user, passwords[user])
        assert.deepEqual([status, body['source']], [200, source], JSON.stringify([body, server.refusals]))
        assert.equal(decodeJwt(String(body['access_token'])).sub, user)
      }
    assert.deepEqual([server.accepted.length, server.refusals], [2, []])
  })

test("a password yields only its own user's token, from every cache, and a wrong one yields no token", async (t) => {
  const environment = { TOKENWELL_CACHE: 'memory:password-of-an-auth-token' }
  const set = await start(t, 'a JSON body', environment)
  const other = await startCaller(set.workspace, environment)
  const { body: first } = await set.ask('alice', passwords.alice)
  const { body: hit } = await set.ask('alice', passwords.alice, other)
  assert.deepEqual([hit['source'], hit['access_token']], ['cache', first['access_token']])
  for (const caller of [set, other])
    for (const [user, password] of [
      ['alice', passwords.bob],
      ['bob', passwords.alice],
      ['alice', `${passwords.alice} `],
    ] as const) {
      const { status, body } = await set.ask(user, password, caller)
      assert.deepEqual([status, body['error'], body['access_token']], [400, 'invalid_grant', undefined])
    }
})

test('a wrong password stops no other user, and its refusal is that of the caller, whose user no log has', async (t) => {
  const events = captureLog(t)
  for (const way of Object.keys(ways)) {
    const { ask, server } = await start(t, way)
    const { status, body } = await ask('alice', 'a wrong word')
    assert.deepEqual([status, body['error']], [400, 'invalid_grant'])
    assert.match(
      String(body['error_description']),
      /^The authorization server myJWTserver refused the token request: http_401/,
    )
    assert.equal((await ask('bob', passwords.bob)).status, 200)
    assert.equal((await ask('alice', passwords.alice)).status, 200)
    assert.equal(server.refusals.length, 1, 'there is no second attempt')
  }
  const begun = events.filter((each) => each.event === 'cool_down_begun')
  assert.deepEqual(new Set(begun.map((each) => each['of'])), new Set(['token']))
  const refused = events.find((each) => each.event === 'token_request_refused')
  assert.match(String(refused?.reason), /refused the token request: http_401\.$/, "without the server's words")
  assert.doesNotMatch(JSON.stringify(events), /alice|bob|a wrong word|word of/)
})

test('of six guesses for a user three are sent in a minute, and a right password uses no place', async (t) => {
  const { ask, server } = await start(t)
  for (let count = 0; count < 5; count++) assert.equal((await ask('bob', passwords.bob)).status, 200)
  const statuses: number[] = []
  for (let count = 0; count < 6; count++) statuses.push((await ask('alice', `guess ${count}`)).status)
  assert.deepEqual(statuses, [400, 400, 400, 503, 503, 503])
  assert.equal(server.refusals.length, 3)
})

test('a request without a user or a password is a 400 that names what is missing, and nothing is sent', async (t) => {
  const { http, server } = await start(t)
  for (const [form, name] of [
    ['', 'username'],
    ['username=alice', 'password'],
    ['password=p', 'username'],
    ['grant_type=client_credentials&username=alice&password=p', 'grant_type'],
    ['username=alice&password=p&scope=a', 'scope'],
  ] as const) {
    const { status, body } = await http(tokenRequest('conn', form))
    assert.equal(status, 400, form)
    assert.match(String(body['error_description']), new RegExp(`^${name} `))
  }
  assert.deepEqual([server.accepted.length, server.refusals.length], [0, 0])
  const form = new URLSearchParams({ grant_type: 'password', username: 'bob', password: passwords.bob })
  assert.equal((await http(tokenRequest('conn', form.toString()))).status, 200)
})

test('a user or a password that its header cannot have is a 400 that names it, and nothing is sent', async (t) => {
  const rows: readonly (readonly [string, string, string, RegExp])[] = [
    ['a header', 'al:ice', 'p', /^username has a colon: the token server would read the rest as password/],
    ['a header', 'al\u0085ice', 'p', /^username has a tab or another control character/],
    ['a header', 'alice', 'p\tq', /^password has a tab or another control character/],
    [
      'two headers',
      'jürgen',
      'p',
      /^username cannot be sent: the token server of this connection wants it in a header/,
    ],
    ['two headers', 'alice', 'p\r\nX-Admin: 1', /^password contains a line break/],
    ['two headers', 'alice', 'p ', /^password cannot be sent: the token server/],
  ]
  for (const [way, username, password, message] of rows) {
    const { ask, server } = await start(t, way)
    const { status, body } = await ask(username, password)
    assert.equal(status, 400)
    assert.match(String(body['error_description']), message)
    assert.deepEqual([server.accepted.length, server.refusals.length], [0, 0], message.source)
  }
})

test('a body has a user with a colon and a password with a tab as they are', async (t) => {
  const { ask, server } = await start(t, 'a JSON body')
  assert.equal((await ask('al:ice', 'p\tq')).status, 400)
  assert.deepEqual(server.refusals, ['The user or the password is wrong.'], 'it was sent')
})

test('GET /connections says that each request brings the credentials', async (t) => {
  const { http } = await start(t)
  const { body } = await http({ method: 'GET', path: '/connections' })
  const [conn] = body['connections'] as Record<string, unknown>[]
  const { usable, credentials_from, warm, mistakes, warnings } = conn ?? {}
  assert.deepEqual(
    { usable, credentials_from, warm, mistakes, warnings },
    {
      ...{ usable: true, credentials_from: 'caller', warm: false },
      ...{ mistakes: [], warnings: [] },
    },
  )
})
