import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JwtBearerGrant, LocatedConnection, TokenExchangeGrant } from '../../../lib/configuration/connection.ts'
import type { HeaderValues } from '../../../lib/configuration/element.ts'
import { jwtBearer, tokenExchange } from '../../../lib/configuration/grant-type.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { createSignedAssertions } from '../../../lib/signing/assertion.ts'
import type { AssertionMakers } from '../../../lib/signing/assertion-makers.ts'
import { createRequestKeySource, type RequestKeys } from '../../../lib/token-endpoint/request-keys.ts'
import { ownJwt } from '../../support/elements/own-jwt.ts'
import { plainAssertion, plainConnection } from '../../support/elements/plain-connection.ts'
import { theSigner } from '../../support/virtual/virtual-ports.ts'

const passwordName = 'tokenwell/test/the-password'
const basic: LocatedConnection = {
  ...plainConnection,
  clientAuthentication: { method: 'client_secret_basic', passwordSecret: passwordName },
}
const { grant: plainGrant, clientAuthentication: way } = plainConnection
const grant: JwtBearerGrant = {
  type: jwtBearer,
  assertion: plainAssertion({ key: { jwtBuilder: 'theOther', location: 'tokenwell/test/the-grant-key' } }),
  assertionParameters: {},
}

const theMaker = createSignedAssertions(plainAssertion(), theSigner)
const previousMaker = createSignedAssertions(plainAssertion(), { ...theSigner, keyId: 'previous' })

/** @param before the previous version of each secret */
function theKeys(before?: string, withoutPrevious: readonly string[] = []) {
  const asked: string[] = []
  const makers: AssertionMakers = {
    async current(assertion) {
      const { key, algorithm } = ownJwt(assertion)
      asked.push(`key ${key.location} ${algorithm}`)
      return theMaker
    },
    async previous(assertion) {
      const { key, algorithm } = ownJwt(assertion)
      asked.push(`previous key ${key.location} ${algorithm}`)
      return before === undefined || withoutPrevious.includes(key.location) ? undefined : previousMaker
    },
  }
  const secrets = {
    async get(name: string) {
      asked.push(name)
      return new Secret('now\n')
    },
    async getPrevious(name: string) {
      asked.push(`previous ${name}`)
      return before === undefined ? undefined : new Secret(before)
    },
  }
  return { asked, makers, keys: createRequestKeySource(makers, secrets) }
}

test('a client that signs has the current and the previous key of its algorithm, and no password is read', async () => {
  const { asked, keys } = theKeys('before')
  assert.deepEqual(await keys.current(plainConnection), {
    client: { way, maker: theMaker },
    grant: { grant: plainGrant },
  })
  assert.deepEqual(await keys.previous(plainConnection, true), {
    client: { way, maker: previousMaker },
    grant: { grant: plainGrant },
  })
  assert.deepEqual(asked, ['key tokenwell/test/the-key ES256', 'previous key tokenwell/test/the-key ES256'])
})

test('a message about a secret names the element and the host that it is for', async () => {
  const uses: unknown[] = []
  const { makers } = theKeys()
  const noting: AssertionMakers = {
    ...makers,
    async current(_assertion, { use }) {
      uses.push(use)
      return theMaker
    },
  }
  const secrets = { get: async () => new Secret('now'), getPrevious: async () => undefined }
  await createRequestKeySource(noting, secrets).current(plainConnection)
  assert.deepEqual(uses, [{ element: 'authorizationServer/theServer', host: 'as.example.com' }])
})

test("a client with a password has the current and the previous one, both without an editor's line break", async () => {
  for (const method of ['client_secret_basic', 'client_secret_post'] as const) {
    const connection: LocatedConnection = { ...basic, clientAuthentication: { method, passwordSecret: passwordName } }
    const { asked, keys } = theKeys('before\r\n')
    const [now, before] = [await keys.current(connection), await keys.previous(connection, false)]
    assert.ok('password' in now.client && before && 'password' in before.client)
    assert.deepEqual([now.client.password.reveal(), before.client.password.reveal()], ['now', 'before'])
    assert.deepEqual(new Set(asked), new Set([passwordName, `previous ${passwordName}`]))
  }
})

test('a missing previous key, or one that equals the current key, is undefined', async () => {
  assert.equal(await theKeys().keys.previous(plainConnection, true), undefined)
  assert.equal(await theKeys().keys.previous(basic, true), undefined)
  assert.equal(await theKeys('now').keys.previous(basic, true), undefined)
})

test('a client that authenticates by its certificate, or not at all, needs no signature and no password: no secret is read', async () => {
  for (const way of [{ method: 'tls_client_auth' }, { method: 'none', sendClientId: false }] as const) {
    const { asked, keys } = theKeys('before')
    const connection: LocatedConnection = { ...plainConnection, clientAuthentication: way }
    assert.deepEqual(await keys.current(connection), { client: { way }, grant: { grant: plainGrant } })
    assert.equal(await keys.previous(connection, true), undefined)
    assert.deepEqual(asked, [])
  }
})

test('after a refusal of the client, its previous key is used, and the grant is signed with the current key', async () => {
  const { keys } = theKeys('before')
  const both = { ...plainConnection, grant }
  assert.deepEqual(await keys.previous(both, true), {
    client: { way, maker: previousMaker },
    grant: { grant, maker: theMaker },
  })
})

test('after any other refusal, the previous key of the grant is used, or that of the client if the grant has none', async () => {
  const both = { ...plainConnection, grant }
  const { keys } = theKeys('before')
  assert.deepEqual(await keys.previous(both, false), {
    client: { way, maker: theMaker },
    grant: { grant, maker: previousMaker },
  })
  const ofClient = theKeys('before', [ownJwt(grant.assertion).key.location])
  assert.deepEqual(await ofClient.keys.previous(both, false), {
    client: { way, maker: previousMaker },
    grant: { grant, maker: theMaker },
  })
  const anonymous: LocatedConnection = { ...both, clientAuthentication: { method: 'none', sendClientId: false } }
  assert.equal(await theKeys().keys.previous(anonymous, false), undefined)
})

test('where a client without credentials is refused, its grant has the key that the server does not know', async () => {
  const both = { ...plainConnection, grant }
  const anonymous: LocatedConnection = { ...both, clientAuthentication: { method: 'none', sendClientId: false } }
  const { keys } = theKeys('before')
  assert.deepEqual(await keys.previous(anonymous, true), {
    client: { way: anonymous.clientAuthentication },
    grant: { grant, maker: previousMaker },
  })
  const byCertificate: LocatedConnection = { ...both, clientAuthentication: { method: 'tls_client_auth' } }
  assert.equal(await keys.previous(byCertificate, true), undefined)
})

test('subject and actor have a key each, and after a refusal the previous one of each that has one', async () => {
  const signedBy = (name: string) => plainAssertion({ key: { jwtBuilder: name, location: `tokenwell/test/${name}` } })
  const exchange: TokenExchangeGrant = {
    type: tokenExchange,
    subject: { type: 'urn:a', assertion: signedBy('subject') },
    actor: { type: 'urn:b', assertion: signedBy('actor') },
  }
  const connection: LocatedConnection = { ...plainConnection, grant: exchange }
  const client = { way, maker: theMaker }
  const { asked, keys } = theKeys('before', ['tokenwell/test/actor'])
  assert.deepEqual(await keys.current(connection), {
    client,
    grant: { grant: exchange, subjectMaker: theMaker, actorMaker: theMaker },
  })
  assert.deepEqual(asked.slice(-2), ['key tokenwell/test/subject RS256', 'key tokenwell/test/actor RS256'])
  assert.deepEqual(await keys.previous(connection, false), {
    client,
    grant: { grant: exchange, subjectMaker: previousMaker, actorMaker: theMaker },
  })
  const withoutAny: LocatedConnection = { ...connection, grant: { type: tokenExchange, subject: {} } }
  assert.deepEqual((await keys.previous(withoutAny, false))?.client, { way, maker: previousMaker })
})

const headerName = 'tokenwell/test/the-header'
const withHeaders = (headers: HeaderValues, connection = plainConnection): LocatedConnection => ({
  ...connection,
  authorizationServer: { ...connection.authorizationServer, headers },
})
const valuesOf = (keys: RequestKeys | undefined) =>
  Object.fromEntries(Object.entries(keys?.headers?.headers ?? {}).map(([name, value]) => [name, value.reveal()]))

test('headers have texts and the values of secrets, and a server may quote the secrets only', async () => {
  const { keys } = theKeys('before')
  const current = await keys.current(withHeaders({ 'x-tenant': 't', 'x-key': { secret: headerName } }))
  assert.deepEqual(valuesOf(current), { 'x-tenant': 't', 'x-key': 'now' })
  assert.deepEqual(
    current.headers?.secrets.map((each) => each.reveal()),
    ['now'],
  )
})

test('user and password of a Basic header count as secrets too', async () => {
  const secrets = {
    get: async () => new Secret(`Basic ${Buffer.from('alice:pass:word').toString('base64')}`),
    getPrevious: async () => undefined,
  }
  const { headers } = await createRequestKeySource(theKeys().makers, secrets).current(
    withHeaders({ authorization: { secret: headerName } }),
  )
  assert.deepEqual(
    headers?.secrets.map((each) => each.reveal()),
    ['Basic YWxpY2U6cGFzczp3b3Jk', 'alice:pass:word', 'pass:word'],
  )
})

test('where neither grant nor client has a previous key, the previous secrets of the headers are used', async () => {
  const anonymous: LocatedConnection = {
    ...plainConnection,
    clientAuthentication: { method: 'none', sendClientId: true },
  }
  const connection = withHeaders({ 'x-tenant': 't', 'x-key': { secret: headerName } }, anonymous)
  const previous = await theKeys('before').keys.previous(connection, true)
  assert.deepEqual(valuesOf(previous), { 'x-tenant': 't', 'x-key': 'before' })
  assert.deepEqual(previous?.client, { way: anonymous.clientAuthentication })
  for (const before of [undefined, 'now'])
    assert.equal(await theKeys(before).keys.previous(connection, true), undefined)
  const withKey = withHeaders({ 'x-key': { secret: headerName } })
  const ofClient = theKeys('before')
  const second = await ofClient.keys.previous(withKey, true)
  assert.deepEqual(second?.client, { way, maker: previousMaker })
  assert.deepEqual(valuesOf(second), { 'x-key': 'now' })
})

test('with the previous key of a grant, the headers are the current ones', async () => {
  const both = withHeaders({ 'x-key': { secret: headerName } }, { ...plainConnection, grant })
  const { keys } = theKeys('before')
  const previous = await keys.previous(both, false)
  assert.deepEqual(previous?.grant, { grant, maker: previousMaker })
  assert.deepEqual(valuesOf(previous), { 'x-key': 'now' })
})

/** A token of a server that wants two secrets in its body, and perhaps one in a header. */
const byBody = (more: Partial<LocatedConnection> = {}): LocatedConnection => ({
  ...plainConnection,
  clientAuthentication: { method: 'none', sendClientId: false },
  grant: {
    type: 'authToken',
    request: {
      method: 'POST',
      credentials: { in: 'body' },
      body: {
        format: 'JSON',
        structure: {
          a: { secret: 'tokenwell/test/a' },
          b: [{ c: { secret: 'tokenwell/test/b' } }, { secret: 'tokenwell/test/a' }],
        },
      },
    },
    response: { token: { in: 'text' } },
    reuse: 'all',
  },
  ...more,
})

function bodyOf({ body }: RequestKeys = assert.fail('no keys')): Readonly<Record<string, string>> {
  return Object.fromEntries([...(body ?? [])].map(([name, secret]) => [name, secret.reveal()]))
}

test('the secrets of a body are read once each, and their previous values are tried after a refusal', async () => {
  const { asked, keys } = theKeys('before')
  assert.deepEqual(bodyOf(await keys.current(byBody())), { 'tokenwell/test/a': 'now', 'tokenwell/test/b': 'now' })
  assert.deepEqual(asked, ['tokenwell/test/a', 'tokenwell/test/b'])
  for (const isOfClient of [true, false])
    assert.deepEqual(bodyOf(await keys.previous(byBody(), isOfClient)), {
      'tokenwell/test/a': 'before',
      'tokenwell/test/b': 'before',
    })
})

test('a secret of a body without a previous value keeps its value, and without any there is no second attempt', async () => {
  const source = (previous: Readonly<Record<string, string>>) =>
    createRequestKeySource(theKeys().makers, {
      get: async () => new Secret('now'),
      getPrevious: async (name) => (previous[name] === undefined ? undefined : new Secret(previous[name])),
    })
  const one = await source({ 'tokenwell/test/b': 'before', 'tokenwell/test/a': 'now' }).previous(byBody(), true)
  assert.deepEqual(bodyOf(one), { 'tokenwell/test/a': 'now', 'tokenwell/test/b': 'before' })
  assert.equal(await source({}).previous(byBody(), true), undefined)
})

test('with the previous key of the client, or beside a header, a body has its current secrets or its previous ones alone', async () => {
  const { keys } = theKeys('before')
  const { clientAuthentication } = plainConnection
  const signed = await keys.previous(byBody({ clientAuthentication }), true)
  assert.deepEqual(bodyOf(signed), { 'tokenwell/test/a': 'now', 'tokenwell/test/b': 'now' })
  const headers = { 'x-key': { secret: 'tokenwell/test/header' } }
  const authorizationServer = { ...plainConnection.authorizationServer, headers }
  const beside = await keys.previous(byBody({ authorizationServer }), true)
  assert.deepEqual([bodyOf(beside)['tokenwell/test/a'], beside?.headers?.headers['x-key']?.reveal()], ['before', 'now'])
})
