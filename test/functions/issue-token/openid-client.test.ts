import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import * as openid from 'openid-client'
import { createHttpGateway, type LambdaHandler } from '../../../infra/local/http-gateway.ts'
import { listen } from '../../../infra/local/listen.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { startIssueTokenWithOidcProvider, users } from '../../support/functions/issue-token-with-oidc-provider.ts'

test('the npm package openid-client gets tokens from a connection as from any token endpoint', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, (issuer) => {
    const elements = exampleElements(issuer)
    return {
      ...elements,
      oAuthConfig: {
        ...elements['oAuthConfig'],
        scoped: { authServerRef: 'theServer', jwtAuthenticationTokenRef: 'theTokenConfig', scope: 'a b' },
        passwords: { grantType: 'password', authServerRef: 'theServer', jwtAuthenticationTokenRef: 'theTokenConfig' },
      },
      endpointConnection: {
        ...elements['endpointConnection'],
        scoped: { authenticationConfigRef: 'scoped' },
        passwords: { authenticationConfigRef: 'passwords' },
      },
    }
  })
  const gateway = createHttpGateway(set.handler as LambdaHandler)
  const base = `http://127.0.0.1:${await listen(gateway, 0, '127.0.0.1')}`
  t.after(() => gateway.close())

  const clientFor = (connection: string, authentication: openid.ClientAuth) => {
    const server = { issuer: base, token_endpoint: `${base}/connections/${connection}/token` }
    const client = new openid.Configuration(server, 'whoever', undefined, authentication)
    openid.allowInsecureRequests(client)
    return client
  }

  const plain = await openid.clientCredentialsGrant(clientFor('conn', openid.None()))
  assert.equal(plain.token_type, 'bearer')
  assert.ok(plain.expiresIn())
  const again = await openid.clientCredentialsGrant(clientFor('conn', openid.ClientSecretPost('not ours')))
  assert.equal(again.access_token, plain.access_token, 'its own client authentication is dropped')

  const scoped = await openid.clientCredentialsGrant(clientFor('scoped', openid.None()), { scope: 'b' })
  assert.equal(scoped.scope, 'b')
  await assert.rejects(
    openid.clientCredentialsGrant(clientFor('scoped', openid.None()), { scope: 'c' }),
    (error: openid.ResponseBodyError) => error.error === 'invalid_request' && error.status === 400,
  )

  const byPassword = (password: string) =>
    openid.genericGrantRequest(clientFor('passwords', openid.None()), 'password', { username: 'alice', password })
  assert.ok((await byPassword(users.get('alice') ?? '')).access_token)
  await assert.rejects(byPassword('wrong'), (error: openid.ResponseBodyError) => error.error === 'invalid_grant')
  await once(gateway.close(), 'close')
})
