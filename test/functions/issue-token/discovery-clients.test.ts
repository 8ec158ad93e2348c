import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import * as oauth from 'oauth4webapi'
import { OidcClient } from 'oidc-client-ts'
import * as openid from 'openid-client'
import { startServing } from '../../support/process/local-run.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'

/* Stock clients against `npm start`. Each knows the URL of a connection, the issuer, and finds everything else itself. */

const folder = await temporaryFolder({ after })
const { url } = await startServing({ after }, { TOKENWELL_FOLDER: folder, PORT: '0' })
const issuerOf = (connection: string) => new URL(`${url}/connections/${connection}`)
const insecure = { [oauth.allowInsecureRequests]: true }

for (const algorithm of ['oidc', 'oauth2'] as const)
  test(`openid-client gets a token by the discovery of ${algorithm}`, async () => {
    const execute = [openid.allowInsecureRequests]
    const client = await openid.discovery(issuerOf('conn'), 'any', undefined, openid.None(), { algorithm, execute })
    assert.deepEqual(client.serverMetadata().token_endpoint_auth_methods_supported, ['none'])
    const token = await openid.clientCredentialsGrant(client)
    assert.ok(token.access_token && (token.expiresIn() ?? 0) > 0)

    const scoped = await openid.discovery(issuerOf('conn-es256'), 'any', undefined, openid.None(), {
      algorithm,
      execute,
    })
    const [scope = ''] = scoped.serverMetadata().scopes_supported ?? []
    assert.equal((await openid.clientCredentialsGrant(scoped, { scope })).scope, scope)
  })

for (const algorithm of ['oidc', 'oauth2'] as const)
  test(`oauth4webapi gets a token by the discovery of ${algorithm}, with any way to authenticate that it has`, async () => {
    const issuer = issuerOf('conn')
    const found = await oauth.discoveryRequest(issuer, { algorithm, ...insecure })
    const server = await oauth.processDiscoveryResponse(issuer, found)
    const client = { client_id: 'any' }
    const tokens = new Set<string>()
    for (const authentication of [oauth.None(), oauth.ClientSecretPost('x'), oauth.ClientSecretBasic('x')]) {
      const sent = await oauth.clientCredentialsGrantRequest(server, client, authentication, {}, insecure)
      tokens.add((await oauth.processClientCredentialsResponse(server, client, sent)).access_token)
    }
    assert.equal(tokens.size, 1)
  })

test('oidc-client-ts, a client of OpenID Connect, gets a token for a user and the password', async () => {
  const { href: authority } = issuerOf('conn-password')
  const client = new OidcClient({ authority, client_id: 'any', redirect_uri: 'http://127.0.0.1/', scope: '' })
  const password = readFileSync(join(folder, 'secrets', 'alice-password'), 'utf8')
  const answer = await client.processResourceOwnerPasswordCredentials({ username: 'alice', password })
  assert.ok(answer.access_token)
  assert.equal(answer.token_type, 'Bearer')
})

test('a client that asks under another name of this machine gets that name, and one that expects another issuer refuses', async () => {
  const issuer = new URL(issuerOf('conn').href.replace('127.0.0.1', 'localhost'))
  const found = await oauth.discoveryRequest(issuer, insecure)
  const { token_endpoint: tokenEndpoint } = await oauth.processDiscoveryResponse(issuer, found)
  assert.equal(tokenEndpoint, `${issuer.href}/token`)
  await assert.rejects(
    oauth.processDiscoveryResponse(issuerOf('conn-es256'), await oauth.discoveryRequest(issuerOf('conn'), insecure)),
    (error: Error & { code?: string }) => error.code === 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED',
  )
  const unknown = await oauth.discoveryRequest(issuerOf('nowhere'), insecure)
  assert.equal(unknown.status, 404)
})
