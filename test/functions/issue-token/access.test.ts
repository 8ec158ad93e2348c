import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { accessOf, callersClaimsOf } from '../../../lib/http-interface/access.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import {
  type IssueTokenWithOidcProvider,
  startIssueTokenWithOidcProvider,
} from '../../support/functions/issue-token-with-oidc-provider.ts'
import { createHttpEvent, tokenRequest } from '../../support/functions/load-function.ts'

/* Behind a JWT authorizer, the claim that connectionsClaim names lists the connections of the caller. */

const claims = (connections: unknown) => ({ jwt: { claims: { connections }, scopes: null } })

function startGuarded(t: TestContext): Promise<IssueTokenWithOidcProvider> {
  const elements = (issuer: string) => {
    const base = exampleElements(issuer)
    return {
      ...base,
      endpointConnection: { ...base['endpointConnection'], other: { authenticationConfigRef: 'theConfig' } },
    }
  }
  return startIssueTokenWithOidcProvider(t, elements, { environment: { TOKENWELL_CONNECTIONS_CLAIM: 'connections' } })
}

test('a connection that the claim lists may be used, and another is a 403 access_denied', async (t) => {
  const set = await startGuarded(t)
  for (const listed of ['conn', 'x conn', '[x conn]', '["x","conn"]', ['x', 'conn']]) {
    const own = await set.http({ ...tokenRequest('conn'), authorizer: claims(listed) })
    assert.equal(own.status, 200, JSON.stringify(listed))
    const other = await set.http({ ...tokenRequest('other'), authorizer: claims(listed) })
    assert.equal(other.status, 403)
    assert.equal(other.body['error'], 'access_denied')
  }
})

test('without the claim a caller can use no connection', async (t) => {
  const set = await startGuarded(t)
  for (const authorizer of [
    undefined,
    {},
    { jwt: {} },
    claims(undefined),
    claims(''),
    claims('CONN conn2 con'),
    claims({ conn: true, toString: 1 }),
  ]) {
    const got = await set.http({ ...tokenRequest('conn'), ...(authorizer && { authorizer }) })
    assert.equal(got.status, 403, JSON.stringify(authorizer))
  }
  assert.equal(set.tokenRequests(), 0)
})

test('DELETE and GET /connections obey the claim, too', async (t) => {
  const set = await startGuarded(t)
  const drop = { method: 'DELETE', path: '/connections/conn/token', query: 'token_id=AAAAAAAAAAAAAAAAAAAAAA' }
  assert.equal((await set.http({ ...drop, authorizer: claims('other') })).status, 403)
  assert.equal((await set.http({ ...drop, authorizer: claims('conn') })).status, 204)

  const { body } = await set.http({ method: 'GET', path: '/connections', authorizer: claims('other') })
  const listed = body['connections'] as Record<string, unknown>[]
  assert.deepEqual(
    listed.map(({ connection }) => connection),
    ['other'],
  )
})

test('the list shows findings of the connections that the claim lists, and names no element of others', async (t) => {
  const elements = (issuer: string) => {
    const base = exampleElements(issuer)
    return {
      ...base,
      oAuthConfigs: { 'tenant-b-in-a-kind-that-is-none': {} },
      endpointConnection: {
        ...base['endpointConnection'],
        mine: { authenticationConfigRef: 'tenant-c-config', warmIdle: 'soon' },
        'tenant-b': { authenticationConfigRef: 'nowhere', idle: 1 },
      },
      oAuthConfig: { ...base['oAuthConfig'], 'tenant-b-config': { grantType: 'tenant-b-grant' } },
    }
  }
  const guarded = { environment: { TOKENWELL_CONNECTIONS_CLAIM: 'connections' } }
  const list = { method: 'GET', path: '/connections' }
  const set = await startIssueTokenWithOidcProvider(t, elements, guarded)
  const { body } = await set.http({ ...list, authorizer: claims('mine ghost') })
  assert.deepEqual(Object.keys(body), ['connections'])
  const [mine, ...others] = body['connections'] as { mistakes: string[]; warnings: string[] }[]
  assert.deepEqual(others, [])
  assert.deepEqual(mine?.mistakes.toSorted(), [
    'endpointConnection/mine authenticationConfigRef: There is no oAuthConfig, authToken, authTokenLocal or authData element with the id "tenant-c-config".',
    'endpointConnection/mine warmIdle: It must be a duration such as 30s, 1m30s or 2h, at least 1m and at most 720h. The value is something else.',
  ])
  assert.doesNotMatch(JSON.stringify(body), /tenant-b|theConfig/)

  const behindIam = await startIssueTokenWithOidcProvider(t, elements)
  const all = (await behindIam.http(list)).body
  assert.match(JSON.stringify(all['mistakes']), /oAuthConfigs/)
  assert.match(JSON.stringify(all['connections']), /Did you mean \\"tenant-b-config\\".*"connection":"tenant-b"/)
})

test('a claim without a name lists no connection: only without a configured claim may callers use all connections', () => {
  const sent = createHttpEvent({ ...tokenRequest('conn'), authorizer: claims('conn') }) as APIGatewayProxyEventV2
  const event = { ...sent, entry: { kind: 'http' } } as const
  assert.equal(accessOf(event, undefined).allows('conn'), true)
  assert.equal(accessOf(event, 'connections').allows('conn'), true)
  assert.equal(accessOf(event, '').allows('conn'), false)
})

test('the claims of a JWT count only behind the alias of the HTTP API', () => {
  const sent = createHttpEvent({ ...tokenRequest('conn'), authorizer: { jwt: { claims: { email: 'bob', n: 1 } } } })
  const { requestContext } = sent as APIGatewayProxyEventV2
  assert.deepEqual(callersClaimsOf({ entry: { kind: 'http' }, requestContext }), { email: 'bob' })
  const others = [{ kind: 'mutual_tls' }, { kind: 'unqualified' }, { kind: 'direct', connection: 'conn' }] as const
  for (const entry of others) assert.equal(callersClaimsOf({ entry, requestContext }), undefined)
  assert.equal(callersClaimsOf({ entry: { kind: 'http' }, requestContext: { authorizer: { iam: {} } } }), undefined)
})
