import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { createServerCertificate, type ServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { fileElements } from '../../../lib/adapters/files/file-elements.ts'
import { validateElements } from '../../../lib/configuration/inspect-elements.ts'
import { localDeployment } from '../../support/elements/element-store.ts'
import type { RawElements } from '../../support/elements/elements.ts'
import { type CallRequest, callBy } from '../../support/functions/call-api-with-scripted-servers.ts'
import { createWorkspace } from '../../support/functions/function-caller.ts'
import { type GivenSecrets, loadFunction } from '../../support/functions/load-function.ts'
import { plant } from '../../support/output/canary.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'
import type { ReceivedCall } from '../../support/servers/scripted-api.ts'
import { startStrictAppStoreConnect } from '../../support/servers/strict-app-store-connect.ts'
import { startStrictGitHub } from '../../support/servers/strict-github.ts'
import { startStrictGoogleApi } from '../../support/servers/strict-google-api.ts'
import type { StrictServer } from '../../support/servers/strict-server.ts'
import { snowflakeFingerprint, startStrictSnowflake } from '../../support/servers/strict-snowflake.ts'
import { commandsOf, examplesOf, headings } from '../issue-token/provider-examples.ts'

/*
 * The examples of lib/configuration/providers.md whose tokens are not OAuth: the function call-api calls a server with each of them.
 * The server takes only what the provider documents.
 */

const path = 'test/functions/call-api/providers-without-oauth.test.ts'
const examples = new Map(examplesOf(path))
const elementsOf = (heading: string) => examples.get(heading) ?? assert.fail(heading)

test('these are the last examples of the page', () => {
  assert.deepEqual([...examples.keys()], headings.slice(-4))
})

for (const [heading, elements] of examples)
  test(`${heading}: the elements have no mistake and no warning`, async (t) => {
    const file = join(await temporaryFolder(t), 'elements.json')
    await writeFile(file, JSON.stringify(elements))
    assert.deepEqual(await fileElements(file).findings(), [])
    assert.deepEqual(await validateElements(fileElements(file), localDeployment), [])
  })

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pem = ({ privateKey }: { readonly privateKey: KeyObject }) =>
  String(privateKey.export({ type: 'pkcs8', format: 'pem' }))

test('GitHub App: the token request is the documented one, and the API takes the token', async (t) => {
  const certificate = await createServerCertificate(['localhost'])
  const github = await startStrictGitHub(t, {
    ...{ certificate, appId: '1', clientId: 'my-client-id' },
    installations: { 12345678: { permissions: { contents: 'write', metadata: 'read' }, repositories: ['one'] } },
  })
  github.register('theKey', rsa.publicKey)
  const elements = elementsOf('GitHub App')
  const call = await callerOf(t, elements, { server: github, certificate, secrets: { 'github-key': pem(rsa) } })

  const { status, body } = await call({
    connection: 'github',
    path: '/installation/repositories',
    headers: { 'user-agent': 'a caller' },
  })
  assert.deepEqual([status, github.refusals], [200, []])
  assert.equal(JSON.parse(body.toString()).total_count, 1)

  const [request, api] = github.accepted
  assert.deepEqual(readRequest(request), {
    method: 'POST',
    url: '/app/installations/12345678/access_tokens',
    headers: { accept: 'application/vnd.github+json', 'content-type': 'application/json' },
    body: { permissions: { contents: 'read' } },
  })
  assert.deepEqual(readJwt(request), {
    header: { alg: 'RS256', typ: 'JWT', kid: 'a kid' },
    claims: { iss: 'my-client-id' },
    lifetime: 180,
    issuedSecondsAgo: 60,
  })
  assert.equal(api?.headers.authorization, `Bearer ${github.issued[0]}`)
})

test('App Store Connect: the token is the documented JWT, with the secret that the command writes', async (t) => {
  const certificate = await createServerCertificate(['localhost'])
  const server = await startStrictAppStoreConnect(t, { certificate, issuerId: 'my-issuer-id' })
  server.register('ABCDE12345', ec.publicKey)
  const folder = await temporaryFolder(t)
  await writeFile(join(folder, 'AuthKey_ABCDE12345.p8'), pem(ec))
  await mkdir(join(folder, '.tokenwell/secrets'), { recursive: true })
  const command = commandsOf(path).get('App Store Connect') ?? assert.fail('no command')
  execFileSync('sh', ['-c', command], { cwd: folder })
  const secrets = { 'app-store-key': await readFile(join(folder, '.tokenwell/secrets/app-store-key')) }
  const call = await callerOf(t, elementsOf('App Store Connect'), { server, certificate, secrets })

  assert.equal((await call({ connection: 'app-store', path: '/v1/apps' })).status, 200)
  assert.deepEqual(server.refusals, [])
  assert.deepEqual(readJwt(server.accepted[0]), {
    header: { alg: 'ES256', typ: 'JWT', kid: 'a kid' },
    claims: { iss: 'my-issuer-id', aud: 'appstoreconnect-v1' },
    lifetime: 1140,
    issuedSecondsAgo: 0,
  })
})

test('App Store Connect: the changes for an individual key and for a scope make the documented JWT', async (t) => {
  const certificate = await createServerCertificate(['localhost'])
  const server = await startStrictAppStoreConnect(t, { certificate })
  server.register('ABCDE12345', ec.publicKey)
  const elements = structuredClone(elementsOf('App Store Connect'))
  const { issuer: _, ...builder } = elements['jwtBuilder']?.['appStoreBuilder'] ?? {}
  elements['jwtBuilder'] = { appStoreBuilder: { ...builder, omit: ['iss'] } }
  const token = elements['authTokenLocal']?.['appStoreToken'] ?? {}
  Object.assign(token, { tokenSubject: 'user', claims: { scope: ['GET /v1/apps'] } })
  const secrets = { 'app-store-key': JSON.stringify({ privateKey: pem(ec), kid: 'ABCDE12345' }) }
  const call = await callerOf(t, elements, { server, certificate, secrets })

  assert.equal((await call({ connection: 'app-store', path: '/v1/apps' })).status, 200)
  assert.equal((await call({ connection: 'app-store', path: '/v1/builds' })).status, 401)
  assert.deepEqual(server.refusals, ['The scope does not allow this request.'])
})

const snowflakeName = 'MYORG-MYACCOUNT.MY_USER'

test('Snowflake key pair: the token is the documented JWT, with the fingerprint that the command prints', async (t) => {
  const certificate = await createServerCertificate(['localhost'])
  const server = await startStrictSnowflake(t, { certificate, account: 'MYORG-MYACCOUNT', user: 'MY_USER' })
  server.register(rsa.publicKey)

  const file = join(await temporaryFolder(t), 'snowflake-key')
  await writeFile(file, pem(rsa))
  const command = commandsOf(path).get('Snowflake key pair') ?? assert.fail('no command')
  const shell = command.replace('.tokenwell/secrets/snowflake-key', file)
  const fingerprint = execFileSync('sh', ['-c', shell], { encoding: 'utf8' }).trim()
  assert.equal(`SHA256:${fingerprint}`, snowflakeFingerprint(rsa.publicKey))
  const elements: RawElements = JSON.parse(
    JSON.stringify(elementsOf('Snowflake key pair')).replace('my-fingerprint', fingerprint),
  )
  const call = await callerOf(t, elements, { server, certificate, secrets: { 'snowflake-key': pem(rsa) } })

  const answer = await call({
    connection: 'snowflake',
    method: 'POST',
    path: '/api/v2/statements',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json',
      'x-snowflake-authorization-token-type': 'KEYPAIR_JWT',
    },
    body: '{"statement":"select 1"}',
  })
  assert.deepEqual([answer.status, server.refusals], [200, []])
  assert.deepEqual(readJwt(server.accepted[0]), {
    header: { alg: 'RS256', typ: 'JWT', kid: 'a kid' },
    claims: { iss: `${snowflakeName}.SHA256:${fingerprint}`, sub: snowflakeName },
    lifetime: 3540,
    issuedSecondsAgo: 0,
  })
})

const email = 'my-account@my-project.iam.gserviceaccount.com'
const audience = 'https://pubsub.googleapis.com/'
const scope = 'https://www.googleapis.com/auth/cloud-platform'
const googleKeyFile = JSON.stringify({
  type: 'service_account',
  private_key_id: '0123456789abcdef',
  private_key: pem(rsa),
  client_email: email,
})

test('Google self-signed JWT: the token is the documented JWT', async (t) => {
  const certificate = await createServerCertificate(['localhost'])
  const server = await startStrictGoogleApi(t, { certificate, email, audience })
  server.register('0123456789abcdef', rsa.publicKey)
  const elements = elementsOf('Google self-signed JWT')
  const call = await callerOf(t, elements, { server, certificate, secrets: { 'pubsub-key': googleKeyFile } })

  assert.equal((await call({ connection: 'pubsub', path: '/v1/projects/my-project/topics' })).status, 200)
  assert.deepEqual(server.refusals, [])
  assert.deepEqual(readJwt(server.accepted[0]), {
    header: { alg: 'RS256', typ: 'JWT', kid: 'a kid' },
    claims: { iss: email, sub: email, aud: audience },
    lifetime: 3600,
    issuedSecondsAgo: 0,
  })
})

test('Google self-signed JWT: with a scope in place of the audience the API takes it too', async (t) => {
  const certificate = await createServerCertificate(['localhost'])
  const server = await startStrictGoogleApi(t, { certificate, email, audience, scopes: [scope] })
  server.register('0123456789abcdef', rsa.publicKey)
  const elements = structuredClone(elementsOf('Google self-signed JWT'))
  const { audiences: _, ...builder } = elements['jwtBuilder']?.['pubsubBuilder'] ?? {}
  elements['jwtBuilder'] = { pubsubBuilder: { ...builder, scope, omit: ['aud'] } }
  const call = await callerOf(t, elements, { server, certificate, secrets: { 'pubsub-key': googleKeyFile } })
  assert.equal((await call({ connection: 'pubsub', path: '/v1/projects/my-project/topics' })).status, 200)
  assert.deepEqual(server.refusals, [])
})

interface Place {
  readonly server: StrictServer
  readonly certificate: ServerCertificate
  readonly secrets: GivenSecrets
}

/** The function call-api with these elements, whose API and token endpoint are the strict server. */
async function callerOf(t: TestContext, elements: RawElements, { server, certificate, secrets }: Place) {
  const trust: RawElements = {
    ssl: { defaultSSLConfig: { trustStoreRef: 'theTrust' } },
    keyStore: { ...elements['keyStore'], theTrust: { location: 'tokenwell/local/authorization-server-ca' } },
  }
  const text = JSON.stringify({ ...elements, ...trust })
  const moved = text.replaceAll(
    /https:\/\/(?:api\.github|api\.appstoreconnect\.apple)\.com|"host":"[^"]*"/g,
    (found) => (found.startsWith('"') ? `"host":"${server.origin}"` : server.origin),
  )
  const workspace = await createWorkspace(t, JSON.parse(moved), certificate, secrets)
  const handler = await loadFunction('call-api', workspace)
  return (request: CallRequest) => callBy(handler, request)
}

function readRequest(request: ReceivedCall | undefined) {
  const { method, url, headers, body } = request ?? assert.fail('no request')
  const { accept, 'content-type': contentType } = headers
  return { method, url, headers: { accept, 'content-type': contentType }, body: JSON.parse(body.toString()) }
}

/** The bearer token of a request, with what each JWT has anew replaced by what is demanded of it. */
function readJwt(request: ReceivedCall | undefined) {
  const [, jwt = ''] = String(request?.headers.authorization).split('Bearer ')
  plant(jwt)
  const { kid, ...header } = decodeProtectedHeader(jwt)
  const { iat = 0, exp = 0, ...claims } = decodeJwt(jwt)
  const age = Date.now() / 1000 - iat
  return {
    header: { ...header, ...(kid !== undefined && { kid: 'a kid' }) },
    claims,
    lifetime: exp - iat,
    issuedSecondsAgo: Math.floor(age / 30) * 30,
  }
}
