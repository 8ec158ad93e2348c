import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { decodeJwt } from 'jose'
import { createServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { readPage } from '../../pages/page.ts'
import type { RawElements } from '../../support/elements/elements.ts'
import { callBy } from '../../support/functions/call-api-with-scripted-servers.ts'
import { createWorkspace } from '../../support/functions/function-caller.ts'
import { loadFunction } from '../../support/functions/load-function.ts'
import { plant } from '../../support/output/canary.ts'
import { root } from '../../support/process/local-run.ts'
import { startScriptedApi } from '../../support/servers/scripted-api.ts'
import { startScriptedTokenEndpoint, tokenAnswer } from '../../support/servers/scripted-token-endpoint.ts'
import { startStrictZosConnectTokenServer } from '../../support/servers/strict-zos-connect-token-server.ts'

/* API calls with the tokens of the examples of lib/configuration/zos-connect.md. */

const path = 'lib/configuration/zos-connect.md'
const { blocks } = readPage(path, readFileSync(join(root, path), 'utf8'))
const [oAuth = {}, otherServer = {}, several = {}] = blocks
  .filter(({ language }) => language === 'json')
  .map(({ text }): RawElements => JSON.parse(text))
const { ssl = {}, keyStore = {} }: RawElements = JSON.parse(
  readFileSync(join(root, 'infra/local/elements.json'), 'utf8'),
)

test('the example of another server calls the API with the JWT of that server, in the header of the element', async (t) => {
  const { call, tokenServer, calls } = await startExamples(t, [otherServer])
  assert.equal((await call('conn')).status, 200)
  assert.deepEqual(tokenServer.refusals, [])
  const [received] = calls
  assert.equal(received?.headers['myjwt-header-name'], `Bearer ${tokenServer.issued[0]}`)
  assert.equal(received?.headers.authorization, undefined)
})

test('the JWT of that server has no jti, so it answers a second call', async (t) => {
  const { call, tokenServer } = await startExamples(t, [otherServer])
  for (const status of [200, 200]) assert.equal((await call('conn')).status, status)
  assert.equal(tokenServer.issued.length, 1)
})

test('a JWT of that server with a jti answers one call, as in z/OS Connect, and each call with cacheTokensWithJti', async (t) => {
  const caching = structuredClone(otherServer)
  Object.assign(caching['authToken']?.['myJWTConfig'] ?? assert.fail('no element'), { cacheTokensWithJti: 'true' })
  for (const [elements, tokens] of [
    [otherServer, 2],
    [caching, 1],
  ] as const) {
    const { call, tokenServer } = await startExamples(t, [elements], { hasJti: true })
    for (const status of [200, 200]) assert.equal((await call('conn')).status, status)
    assert.equal(tokenServer.issued.length, tokens)
  }
})

test('the example of several tokens calls the API with each of them in its own header', async (t) => {
  const { call, tokenServer, calls } = await startExamples(t, [oAuth, otherServer, several])
  assert.equal((await call('both')).status, 200)
  const { headers = {} } = calls[0] ?? {}
  assert.equal(headers['authorization'], 'Bearer the-oauth-token')
  assert.equal(headers['myjwt-header-name'], `Bearer ${tokenServer.issued[0]}`)

  const [scheme, jwt = ''] = String(headers['mylocaljwt-header-name']).split(' ')
  assert.equal(scheme, 'Bearer')
  plant(jwt)
  const { iss, sub, aud, iat = 0, exp = 0, ...others } = decodeJwt(jwt)
  assert.deepEqual([sub, aud, exp - iat, others], ['orders', 'https://api.server.com', 600, {}])
  assert.equal(iss, 'https://tokenwell.example/jwt/myLocalJWTBuilder')

  assert.equal((await call('both')).status, 200)
  assert.equal(calls[1]?.headers['mylocaljwt-header-name'], headers['mylocaljwt-header-name'])
})

/** The elements of these examples, with their servers on this machine. */
async function startExamples(t: TestContext, examples: readonly RawElements[], { hasJti = false } = {}) {
  const certificate = await createServerCertificate(['localhost'])
  const tokenServer = await startStrictZosConnectTokenServer(t, {
    ...{ certificate, hasJti, method: 'GET', user: 'jwtuser', password: 'jwtpassword' },
    ...{ credentials: { in: 'basic' }, token: { in: 'JSON', path: ['data', 'token'] } },
  })
  const server = await startScriptedTokenEndpoint(() => tokenAnswer({ access_token: 'the-oauth-token' }), {
    certificate,
  })
  t.after(() => server.close())
  const api = await startScriptedApi(t, () => ({}), { certificate })

  const origins: Readonly<Record<string, string>> = {
    'https://jwt.server.com:9443': tokenServer.origin,
    'https://localhost:9443': server.issuer,
  }
  const elements: RawElements = { ssl, keyStore }
  for (const [kind, byId] of examples.flatMap((example) => Object.entries(example)))
    for (const [id, attributes] of Object.entries(byId))
      elements[kind] = { ...elements[kind], [id]: relocated(attributes, origins, api.origin) }

  const workspace = await createWorkspace(t, elements, certificate, { 'jwt-password': 'jwtpassword' })
  const handler = await loadFunction('call-api', workspace)
  return { call: (connection: string) => callBy(handler, { connection }), tokenServer, calls: api.requests }
}

function relocated(
  { host, port, tokenEndpoint, ...attributes }: RawElements[string][string],
  origins: Readonly<Record<string, string>>,
  api: string,
): RawElements[string][string] {
  if (host !== undefined) return { ...attributes, host: api }
  if (typeof tokenEndpoint !== 'string') return { ...attributes, ...(port !== undefined && { port }) }
  const { origin, pathname } = new URL(tokenEndpoint)
  return { ...attributes, tokenEndpoint: `${origins[origin]}${pathname}` }
}
