import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLocalContext } from '../../../infra/local/http-gateway.ts'
import { mutualTlsAlias } from '../../../lib/http-interface/entry.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { startIssueTokenWithOidcProvider } from '../../support/functions/issue-token-with-oidc-provider.ts'
import { createHttpEvent } from '../../support/functions/load-function.ts'

/* How issue-token describes a connection as a token endpoint. */

const subject = 'CN=orders,O=Example'
const pathsFor = (connection: string) => [
  `/.well-known/oauth-authorization-server/connections/${connection}`,
  `/connections/${connection}/.well-known/openid-configuration`,
  `/connections/${connection}/.well-known/jwks.json`,
]

function elementsWithOthers(issuer: string) {
  const elements = exampleElements(issuer, { oAuth: { scope: 'a b' } })
  return {
    ...elements,
    endpointConnection: {
      conn: { authenticationConfigRef: 'theConfig', clientCertificateSubjects: [subject] },
      other: { authenticationConfigRef: 'theConfig' },
      broken: { authenticationConfigRef: 'theconfig' },
      stopped: { authenticationConfigRef: 'theConfig', disabled: true },
    },
  }
}

test('a caller of the connection may keep its description for five minutes, and nobody is asked for it', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, elementsWithOthers)
  for (const path of pathsFor('conn')) {
    const { status, headers } = await set.http({ method: 'GET', path })
    assert.equal(status, 200)
    assert.equal(headers['cache-control'], 'private, max-age=300')
    assert.equal(headers['content-type'], 'application/json')
  }
  const [path = ''] = pathsFor('conn')
  const { body } = await set.http({ method: 'GET', path })
  assert.deepEqual(body['grant_types_supported'], ['client_credentials'])
  assert.deepEqual(body['scopes_supported'], ['a', 'b'])
  assert.equal(set.tokenRequests(), 0)
})

test('a connection that is unknown, disabled or has mistakes is answered as by its token endpoint', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, elementsWithOthers)
  for (const name of ['nowhere', 'stopped', 'broken', 'a b']) {
    const refused = await set.http({ method: 'POST', path: `/connections/${name}/token` })
    for (const path of pathsFor(name)) {
      const { status, body, headers } = await set.http({ method: 'GET', path })
      assert.deepEqual({ ...body, request_id: '' }, { ...refused.body, request_id: '' })
      assert.deepEqual([status, headers['cache-control']], [refused.status, 'no-store'])
    }
  }
})

test('only GET is answered, and only at exactly these paths', async (t) => {
  const set = await startIssueTokenWithOidcProvider(t, elementsWithOthers)
  for (const path of pathsFor('conn'))
    for (const method of ['HEAD', 'POST', 'PUT', 'OPTIONS', 'DELETE'])
      assert.equal((await set.http({ method, path })).status, 404, `${method} ${path}`)
  for (const path of [
    '/xwell-known/oauth-authorization-server/connections/conn',
    '/.well-known/oauth-authorization-server',
    '/.well-known/oauth-authorization-server/connections/conn/x',
    '/connections/conn/.well-known/openid-configuration/',
    '/connections/conn/xwell-known/openid-configuration',
    '/.well-known/openid-configuration/connections/conn',
  ])
    assert.equal((await set.http({ method: 'GET', path })).status, 404, path)
})

test("behind a JWT authorizer the claim decides, and behind _mtls the elements do, as for the connection's token", async (t) => {
  const environment = { TOKENWELL_CONNECTIONS_CLAIM: 'connections' }
  const set = await startIssueTokenWithOidcProvider(t, elementsWithOthers, { environment })
  const authorizer = { jwt: { claims: { connections: 'conn' } } }
  const certificate = { authentication: { clientCert: { subjectDN: subject, issuerDN: 'CN=CA' } } }
  for (const [name, status] of [
    ['conn', 200],
    ['other', 403],
    ['nowhere', 403],
  ] as const)
    for (const path of pathsFor(name)) {
      assert.equal((await set.http({ method: 'GET', path, authorizer })).status, status, path)
      assert.equal((await set.http({ method: 'GET', path })).status, 403, 'without a JWT')
      const event = createHttpEvent({ method: 'GET', path }) as { requestContext: object }
      const sent = { ...event, requestContext: { ...event.requestContext, ...certificate } }
      const context = createLocalContext(Date.now(), `issue-token:${mutualTlsAlias}`)
      assert.equal(((await set.handler(sent, context)) as { statusCode: number }).statusCode, status, path)
    }
})
