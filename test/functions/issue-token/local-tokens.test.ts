import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { decodeJwt } from 'jose'
import { Agent, request } from 'undici'
import { createServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { subjectSegment } from '../../../lib/configuration/subject.ts'
import type { RawElements } from '../../support/elements/elements.ts'
import { callBy } from '../../support/functions/call-api-with-scripted-servers.ts'
import { createWorkspace, startCaller } from '../../support/functions/function-caller.ts'
import { loadFunction, tokenRequest, writeSecret } from '../../support/functions/load-function.ts'
import { plant } from '../../support/output/canary.ts'
import { captureLog } from '../../support/output/captured-log.ts'
import { startMovedClock } from '../../support/process/this-process.ts'
import { startStrictAppStoreConnect } from '../../support/servers/strict-app-store-connect.ts'
import { startStrictGoogleApi } from '../../support/servers/strict-google-api.ts'
import type { StrictServer } from '../../support/servers/strict-server.ts'
import { snowflakeFingerprint, startStrictSnowflake } from '../../support/servers/strict-snowflake.ts'

/* Tokens that Tokenwell signs itself, at APIs that take only what their providers document. */

type Attributes = Readonly<Record<string, unknown>>

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const jwkOf = (key: KeyObject, kid: string) => JSON.stringify({ ...key.export({ format: 'jwk' }), kid })
const pemOf = (key: KeyObject) => String(key.export({ type: 'pkcs8', format: 'pem' }))

/** A connection to this server, whose token has these attributes. */
function elementsFor(host: string, builder: Attributes, token: Attributes = {}): RawElements {
  return {
    endpointConnection: { conn: { host, authenticationConfigRef: 'theToken', sslCertsRef: 'theSsl' } },
    authTokenLocal: { theToken: { tokenGeneratorRef: 'theBuilder', ...token } },
    jwtBuilder: { theBuilder: { keyStoreRef: 'theKey', jti: false, ...builder } },
    ssl: { theSsl: { trustStoreRef: 'theTrust' } },
    keyStore: {
      theKey: { location: 'tokenwell/local/the-key' },
      theTrust: { location: 'tokenwell/local/authorization-server-ca' },
    },
  }
}

interface Made {
  readonly builder: Attributes
  readonly token?: Attributes
  readonly key: string
}

/** issue-token and call-api with these elements, and a caller that takes the token to the server by itself. */
async function start(t: TestContext, server: StrictServer, { builder, token, key }: Made) {
  const elements = elementsFor(server.origin, builder, token)
  const workspace = await createWorkspace(t, elements, server.certificate, { 'the-key': key })
  const issueToken = await startCaller(workspace)
  const callApi = await loadFunction('call-api', workspace)
  const dispatcher = new Agent({ connect: { ca: server.certificate.caCertificate } })
  t.after(() => dispatcher.close())
  return {
    ...issueToken,
    workspace,
    call: (path: string, more = {}) => callBy(callApi, { path, ...more }),
    async ask(path = '/connections/conn/token') {
      const { status, body } = await issueToken.http({ ...tokenRequest('conn'), path })
      assert.equal(status, 200, JSON.stringify(body))
      return body
    },
    async take(accessToken: unknown, path: string) {
      const headers = { authorization: `Bearer ${String(accessToken)}` }
      const answer = await request(`${server.origin}${path}`, { dispatcher, headers })
      await answer.body.dump()
      return answer.statusCode
    },
  }
}

const appStore = { issuer: 'the-issuer', audiences: 'appstoreconnect-v1', signatureAlgorithm: 'ES256' }

async function startAppStore(t: TestContext, made: Omit<Made, 'key' | 'builder'> & { readonly builder?: Attributes }) {
  const certificate = await createServerCertificate(['localhost'])
  const server = await startStrictAppStoreConnect(t, { certificate, issuerId: 'the-issuer' })
  server.register('2X9R4HXF34', ec.publicKey)
  const builder = { ...appStore, expiresInSeconds: '20m', ...made.builder }
  const set = await start(t, server, { ...made, builder, key: jwkOf(ec.privateKey, '2X9R4HXF34') })
  return { server, ...set }
}

test('App Store Connect takes a token from issue-token, and its scope is a list', async (t) => {
  const { server, ask, take } = await startAppStore(t, { token: { claims: { scope: ['GET /v1/apps'] } } })
  const { access_token, token_type, expires_in, source } = await ask()
  assert.deepEqual([token_type, source], ['Bearer', 'server'])
  assert.ok(Number(expires_in) >= 1198 && Number(expires_in) <= 1200, String(expires_in))
  assert.equal(await take(access_token, '/v1/apps'), 200)
  assert.equal(await take(access_token, '/v1/builds'), 401, 'the scope does not allow it')
  const again = await ask()
  assert.deepEqual([again['access_token'], again['source']], [access_token, 'memory'])
  assert.equal(server.accepted.length, 1)
})

test('the list of connections shows a local token without a server, and when it was signed last', async (t) => {
  const { http, ask } = await startAppStore(t, {})
  await ask()
  const [listed] = (await http({ method: 'GET', path: '/connections' })).body['connections'] as Attributes[]
  assert.deepEqual(
    [listed?.['grant_type'], listed?.['token_endpoint'], listed?.['warm'], listed?.['mistakes']],
    ['authTokenLocal', undefined, true, []],
  )
  assert.match(String(listed?.['last_obtained_at']), /^\d{4}-/)
})

const refusedBy: readonly (readonly [string, Attributes, RegExp])[] = [
  ['a jti', { jti: true }, /jti/],
  ['no aud', { audiences: undefined, omit: 'aud' }, /aud is not/],
  ['more than 20 minutes', { expiresInSeconds: '21m' }, /more than 20 minutes/],
]
for (const [what, builder, reason] of refusedBy)
  test(`App Store Connect refuses ${what}, so the elements decide about it`, async (t) => {
    const { server, call } = await startAppStore(t, { builder })
    assert.equal((await call('/v1/apps')).status, 401)
    assert.match(server.refusals.join(), reason)
  })

test('with jti each call has a token of its own', async (t) => {
  const { server, call, ask } = await startAppStore(t, { builder: { jti: true } })
  await Promise.all([call('/v1/apps'), call('/v1/apps'), call('/v1/apps')])
  assert.equal(server.accepted.length, 0)
  const ids = new Set([await ask(), await ask()].map(({ access_token }) => decodeJwt(String(access_token)).jti))
  assert.equal(ids.size, 2)
})

test('Google takes a token with the address of the service account, by its key file', async (t) => {
  const [email, audience] = ['robot@project.iam.gserviceaccount.com', 'https://pubsub.googleapis.com/']
  const certificate = await createServerCertificate(['localhost'])
  const server = await startStrictGoogleApi(t, { certificate, email, audience })
  server.register('0123456789abcdef', rsa.publicKey)
  const file = { type: 'service_account', private_key: pemOf(rsa.privateKey), private_key_id: '0123456789abcdef' }
  const { ask, take, call } = await start(t, server, {
    builder: { issuer: email, audiences: audience, expiresInSeconds: '1h' },
    token: { tokenSubject: email },
    key: JSON.stringify(file),
  })
  assert.equal(await take((await ask())['access_token'], '/v1/projects/project/topics'), 200)
  assert.equal((await call('/v1/projects/project/topics')).status, 200)
  assert.deepEqual(server.refusals, [])
})

const statement = {
  method: 'POST',
  headers: { 'content-type': 'application/json', accept: 'application/json' },
  body: JSON.stringify({ statement: 'select 1' }),
}

/** The clock of Snowflake is that of this process. */
async function startSnowflake(t: TestContext, builder: Attributes) {
  const certificate = await createServerCertificate(['localhost'])
  const server = await startStrictSnowflake(t, { certificate, account: 'ORG-ACCOUNT', user: 'USER' })
  server.register(rsa.publicKey)
  const set = await start(t, server, {
    builder: {
      issuer: `ORG-ACCOUNT.USER.${snowflakeFingerprint(rsa.publicKey)}`,
      ...{ omit: 'aud', expiresInSeconds: '1h', ...builder },
    },
    token: { tokenSubject: 'ORG-ACCOUNT.USER' },
    key: pemOf(rsa.privateKey),
  })
  return { server, ...set }
}

test('Snowflake takes each token until Tokenwell replaces it, for three hours of calls', async (t) => {
  const age = startMovedClock(t)
  const { server, call } = await startSnowflake(t, {})
  for (let minutes = 0; minutes < 180; minutes += 4) {
    assert.equal((await call('/api/v2/statements', statement)).status, 200, `after ${minutes} min`)
    age(4 * 60_000)
  }
  assert.deepEqual(server.refusals, [])
  const tokens = new Set(server.accepted.map(({ headers }) => headers.authorization))
  assert.ok(tokens.size >= 4 && tokens.size <= 5, String(tokens.size))
})

test('after a 401 the token is signed anew by the key that the secret holds now, and no user, key or token is logged', async (t) => {
  const log = captureLog(t)
  const age = startMovedClock(t)
  const { server, call, workspace } = await startAppStore(t, {})
  assert.equal((await call('/v1/apps')).status, 200)
  const next = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  server.register('2X9R4HXF34', next.publicKey)
  await writeSecret(workspace, 'the-key', jwkOf(next.privateKey, '2X9R4HXF34'))
  age(301_000)
  assert.equal((await call('/v1/apps')).status, 200)
  assert.equal(server.refusals.length, 1)
  assert.equal(server.accepted.length, 2)
  for (const { headers } of server.accepted) plant(String(headers.authorization).replace('Bearer ', ''))
  assert.equal(log.filter(({ event }) => event === 'token_signed').length, 2)
})

test('a token for a user is for the user that the path names, and the plain route has none', async (t) => {
  const [alice, zoe] = ['canary-alice@example.com', 'canary-Zoë']
  for (const user of [alice, zoe, subjectSegment(zoe)]) plant(user)
  captureLog(t)
  const { http, ask } = await startAppStore(t, { token: { claimsFromRequest: { sub: [alice, zoe] } } })
  for (const user of [alice, zoe]) {
    const path = `/connections/conn/as/${subjectSegment(user)}/token`
    const { access_token } = await ask(path)
    assert.equal(decodeJwt(String(access_token)).sub, user)
    assert.deepEqual([(await ask(path))['access_token'], (await ask(path))['source']], [access_token, 'memory'])
  }
  assert.equal((await http(tokenRequest('conn'))).status, 400)
  const other = await http({ ...tokenRequest('conn'), path: '/connections/conn/as/mallory/token' })
  assert.equal(other.status, 400)
})

test('a user of the path gets no token where the elements name no user', async (t) => {
  const { http } = await startAppStore(t, {})
  const { status, body } = await http({ ...tokenRequest('conn'), path: '/connections/conn/as/bob/token' })
  assert.equal(status, 400)
  assert.match(String(body['error_description']), /^subject cannot be named for this connection/)
})

test('a key that lists hosts signs for its own host alone', async (t) => {
  const certificate = await createServerCertificate(['localhost'])
  const server = await startStrictAppStoreConnect(t, { certificate, issuerId: 'the-issuer' })
  const elements = elementsFor(server.origin, appStore)
  const withoutHost = { ...elements, endpointConnection: { conn: { authenticationConfigRef: 'theToken' } } }
  const rows: readonly (readonly [readonly string[], RawElements, number])[] = [
    [['localhost'], elements, 200],
    [['api.example.com'], elements, 500],
    [['localhost'], withoutHost, 500],
  ]
  for (const [listed, used, status] of rows) {
    const key = JSON.stringify({ ...JSON.parse(jwkOf(ec.privateKey, '2X9R4HXF34')), hosts: listed })
    const workspace = await createWorkspace(t, used, certificate, { 'the-key': key })
    const { http } = await startCaller(workspace)
    assert.equal((await http(tokenRequest('conn'))).status, status, JSON.stringify([listed, used === elements]))
  }
})

test('a key that Snowflake does not know is refused, and its reason is the fingerprint', async (t) => {
  const { server, call } = await startSnowflake(t, {
    issuer: `ORG-ACCOUNT.USER.${snowflakeFingerprint(otherRsa.publicKey)}`,
  })
  assert.equal((await call('/api/v2/statements', statement)).status, 401)
  assert.match(server.refusals.join(), /FINGERPRINT_MISMATCH/)
})
