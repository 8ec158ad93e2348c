import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { createKeyCertificate } from '../../../infra/local/certificate-authority.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { startIssueTokenWithOidcProvider } from '../../support/functions/issue-token-with-oidc-provider.ts'
import {
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest } from '../../support/functions/load-function.ts'

const list = { method: 'GET', path: '/connections' }

test('GET /connections shows configuration and status, and no secret', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, (issuer) => {
    const elements = exampleElements(issuer, { oAuth: { scope: 'a b' } })
    return {
      ...elements,
      endpointConnection: {
        conn: {
          authenticationConfigRef: 'theConfig',
          host: 'https://api.example',
          port: '8443',
          domainBasePath: '/v1',
        },
        broken: { authenticationConfigRef: 'theconfig' },
      },
    }
  })
  await set.http(tokenRequest('conn'))
  const { status, body } = await set.http(list)
  assert.equal(status, 200)
  const [broken, conn] = body['connections'] as Record<string, unknown>[]

  assert.equal(broken?.['usable'], false)
  assert.match(String(broken?.['mistakes']), /theconfig.*Did you mean "theConfig"/)

  assert.match(String(conn?.['last_obtained_at']), /^20\d\d-/)
  const token = {
    grant_type: 'client_credentials',
    client_id: 'theClient',
    client_authentication: 'private_key_jwt',
    token_endpoint: `${set.server.issuer}/token`,
    issuer: set.server.issuer,
    scope: 'a b',
    warm: true,
  }
  assert.deepEqual(
    { ...conn, last_obtained_at: undefined },
    {
      connection: 'conn',
      usable: true,
      api: 'https://api.example:8443/v1',
      ...token,
      tokens: [
        { authentication: 'theConfig', kind: 'oAuthConfig', header: 'authorization', scheme: 'Bearer', ...token },
      ],
      mistakes: [],
      warnings: [],
      last_obtained_at: undefined,
    },
  )
  assert.doesNotMatch(JSON.stringify(body), /tokenwell\/local/)
})

test('GET /connections shows the last failure and the warnings', async (t) => {
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => exampleElements(issuer, { builder: { issuer: undefined } }),
    () => ({ status: 401, body: { error: 'invalid_client' } }),
  )
  await set.http(tokenRequest('conn'))
  const { body } = await set.http(list)
  const [conn] = body['connections'] as Record<string, unknown>[]
  assert.equal(conn?.['last_failure'], 'refused')
  assert.match(String(conn?.['last_failed_at']), /^20\d\d-/)
  assert.match(String(conn?.['warnings']), /The iss of the assertion is not the client id/)
})

test('a secret that has expired, or whose date cannot be read, is still used, and GET /connections warns without its name', async (t) => {
  const warnings: readonly (readonly [string, RegExp])[] = [
    [
      '2020-02-29',
      /^authorizationServer\/theServer basicAuthRef: The secret expired on 2020-02-29, as its expiresAt says\. /,
    ],
    ['next year', /^authorizationServer\/theServer basicAuthRef: The secret holds an expiresAt that is not a date\. /],
  ]
  for (const [expiresAt, warning] of warnings) {
    const set = await startIssueTokenWithOidcProvider(
      t,
      (issuer) => ({
        ...exampleElements(issuer, {
          server: { basicAuthRef: 'theData' },
          oAuth: { jwtAuthenticationTokenRef: undefined },
        }),
        authData: { theData: { user: 'theClient', passwordSecret: 'tokenwell/local/the-password' } },
      }),
      { secrets: { 'the-password': JSON.stringify({ password: 'correct horse battery staple', expiresAt }) } },
    )
    assert.equal((await set.http(tokenRequest('conn'))).status, 200)
    const { body } = await set.http(list)
    const [conn] = body['connections'] as Record<string, unknown>[]
    assert.deepEqual([conn?.['usable'], conn?.['mistakes']], [true, []])
    assert.match(String(conn?.['warnings']), warning)
    assert.doesNotMatch(JSON.stringify(body), /tokenwell\/local/)
  }
})

test('a certificate that has expired is still presented, and GET /connections warns', async (t) => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const certificate = await createKeyCertificate(privateKey, 'theClient', -0.5)
  const set = await startIssueTokenWithOidcProvider(
    t,
    (issuer) => {
      const builder = { jwkEnabled: undefined, keyStoreRef: 'theKeys', certificateThumbprint: 'x5t' }
      const elements = exampleElements(issuer, { builder })
      return { ...elements, keyStore: { ...elements['keyStore'], theKeys: { location: 'tokenwell/local/the-key' } } }
    },
    { secrets: { 'the-key': privateKey.export({ type: 'pkcs8', format: 'pem' }) + certificate } },
  )
  assert.equal((await set.http(tokenRequest('conn'))).status, 200)
  const { body } = await set.http(list)
  const [conn] = body['connections'] as Record<string, unknown>[]
  assert.match(
    String(conn?.['warnings']),
    /^jwtBuilder\/theBuilder keyStoreRef: The secret holds the certificate of CN=theClient, which expired on \d{4}-\d\d-\d\d\. /,
  )
})

test("GET /connections shows how far a server's clock is ahead, once that is known", async (t) => {
  const set = await startIssueTokenWithScriptedServer(t, exampleElements, (_request, _response, index) => {
    if (index > 0) return tokenAnswer()
    const date = new Date(Date.now() + 240_000).toUTCString()
    return { status: 401, headers: { date }, body: { error: 'invalid_client' } }
  })
  assert.equal((await set.http(tokenRequest('conn'))).status, 200)
  const { body } = await set.http(list)
  const [conn] = body['connections'] as Record<string, unknown>[]
  assert.ok(Math.abs(Number(conn?.['clock_offset_seconds']) - 240) <= 1)
})

test('GET /connections shows the parameters that an element sets', async (t) => {
  const parameters = { resource: ['urn:a', 'urn:b'], audience: 'the-api' }
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => exampleElements(issuer, { oAuth: parameters }),
    () => tokenAnswer(),
  )
  const { body } = await set.http(list)
  const [conn] = body['connections'] as Record<string, unknown>[]
  assert.deepEqual(conn?.['resource'], parameters.resource)
  assert.equal(conn?.['audience'], parameters.audience)
})

test('GET /connections shows which connection keeps no token warm', async (t) => {
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => exampleElements(issuer, { endpoint: { warm: false } }),
    () => tokenAnswer(),
  )
  const { body } = await set.http(list)
  const [conn] = body['connections'] as Record<string, unknown>[]
  assert.equal(conn?.['warm'], false)
})

test('GET /connections shows mistakes that belong to no connection', async (t) => {
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => ({ ...exampleElements(issuer), oAuthConfigs: { a: {} } }),
    () => tokenAnswer(),
  )
  const { body } = await set.http(list)
  assert.match(String(body['mistakes']), /oAuthConfigs/)
  const whole = await startIssueTokenWithScriptedServer(t, exampleElements, () => tokenAnswer())
  assert.deepEqual(Object.keys((await whole.http(list)).body), ['connections'])
})
