import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose'
import { jwtBearer, tokenExchange, tokenTypesByShortName } from '../../../lib/configuration/grant-type.ts'
import { type ElementChanges, exampleElements, type RawElements } from '../../support/elements/elements.ts'
import {
  type IssueTokenWithScriptedServer,
  type ScriptedAnswer,
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest } from '../../support/functions/load-function.ts'
import { setEnvironment } from '../../support/process/this-process.ts'
import { type StageIdentity, startStageIdentity } from '../../support/servers/stage-identity.ts'

/* Connections whose JWTs AWS signs, over the whole path: from the request to STS and the token endpoint. */

const audience = 'https://as.example'

interface Started {
  readonly set: IssueTokenWithScriptedServer
  readonly identity: StageIdentity
}

/** The AWS SDK reads credentials and endpoint at its first call, long after the function has read its environment. */
async function start(
  t: TestContext,
  elements: (issuer: string) => RawElements,
  answer: () => ScriptedAnswer = () => tokenAnswer(),
): Promise<Started> {
  const identity = await startStageIdentity(t, { tagKeys: ['tokenwell:stage', 'tokenwell:connection', 'team'] })
  setEnvironment(t, identity.environment)
  return { set: await startIssueTokenWithScriptedServer(t, elements, answer), identity }
}

/** A connection whose assertion AWS signs, with these changes. */
function elementsOf(issuer: string, changes: ElementChanges = {}, awsWebIdentity: object = {}): RawElements {
  const { jwtBuilder: _, ...elements } = exampleElements(issuer, {
    ...changes,
    tokenConfig: { tokenGeneratorRef: 'theIdentity', tokenSubject: undefined, ...changes.tokenConfig },
    server: { issuer: undefined, ...changes.server },
  })
  return { ...elements, awsWebIdentity: { theIdentity: { audience, ...awsWebIdentity } } }
}

async function verified({ sts }: StageIdentity, token: string | null | undefined) {
  const keys = createLocalJWKSet((await sts.issuer.keySet()) as never)
  return (await jwtVerify(token ?? '', keys, { issuer: sts.issuer.issuer, audience })).payload
}

test("AWS's JWT authenticates a client: its role, its tags, and the client id beside it", async (t) => {
  const { set, identity } = await start(t, (issuer) =>
    elementsOf(issuer, { oAuth: { clientId: 'theClient' } }, { durationSeconds: 60, tags: { team: 'orders' } }),
  )
  const { status, body } = await set.http(tokenRequest('conn'))
  assert.equal(status, 200, JSON.stringify(body))
  const [{ form } = assert.fail()] = set.requests
  assert.equal(form.get('client_id'), 'theClient')
  const claims = await verified(identity, form.get('client_assertion'))
  assert.equal(claims.sub, identity.roleArn)
  assert.equal(Number(claims.exp) - Number(claims.iat), 60)
  const { request_tags: tags } = claims['https://sts.amazonaws.com/'] as Record<string, unknown>
  assert.deepEqual(tags, { 'tokenwell:stage': 'local', 'tokenwell:connection': 'conn', team: 'orders' })
  const { connections } = (await set.http({ method: 'GET', path: '/connections' })).body as never
  assert.equal(connections[0]['client_authentication'], 'private_key_jwt')
})

test('a connection with a role of its own is known by that role', async (t) => {
  const { set, identity } = await start(t, (issuer) => elementsOf(issuer, {}, { role: 'connection' }))
  const { account } = identity.sts
  const stage = account.roleOf(identity.roleArn) ?? assert.fail()
  const own = account.addRole({ ...stage, name: `${stage.name}-conn` })
  const [functionArn = ''] = stage.trusts ?? []
  account.addRole({
    name: functionArn.split('/').at(-1) ?? '',
    statements: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: own }],
  })
  assert.equal((await set.http(tokenRequest('conn'))).status, 200)
  const [{ form } = assert.fail()] = set.requests
  assert.equal((await verified(identity, form.get('client_assertion'))).sub, own)
  assert.equal(form.has('client_id'), false)
})

test("AWS's JWT is the assertion of a grant, and subject and actor token of an exchange", async (t) => {
  const grant = { jwtAuthenticationTokenRef: undefined }
  const { set, identity } = await start(t, (issuer) => {
    const elements = elementsOf(issuer, {
      oAuth: { ...grant, grantType: 'jwt-bearer', assertionTokenRef: 'theTokenConfig' },
    })
    return {
      ...elements,
      endpointConnection: {
        ...elements['endpointConnection'],
        exchanging: { authenticationConfigRef: 'exchange', directInvocation: true },
      },
      oAuthConfig: {
        ...elements['oAuthConfig'],
        exchange: {
          authServerRef: 'theServer',
          grantType: 'token-exchange',
          clientId: 'theClient',
          subjectTokenRef: 'theTokenConfig',
          actorTokenRef: 'theTokenConfig',
        },
      },
    }
  })
  for (const name of ['conn', 'exchanging']) {
    const { status, body } = await set.http(tokenRequest(name))
    assert.equal(status, 200, JSON.stringify(body))
  }
  const [first = assert.fail(), second = assert.fail()] = set.requests.map(({ form }) => form)
  assert.deepEqual([first.get('grant_type'), second.get('grant_type')], [jwtBearer, tokenExchange])
  assert.equal(second.get('subject_token_type'), tokenTypesByShortName.jwt)
  assert.equal(second.get('actor_token_type'), tokenTypesByShortName.jwt)
  const sent = [first.get('assertion'), second.get('subject_token'), second.get('actor_token')]
  const ids = (await Promise.all(sent.map((token) => verified(identity, token)))).map(({ jti }) => jti)
  assert.equal(new Set(ids).size, 3)
})

const places = [
  ['header', { credentialLocation: 'header', header: 'authorization' }],
  ['body', { credentialLocation: 'body', requestBody: { token: { assertion: true } } }],
] as const
for (const [place, tokenRequestOf] of places)
  test(`AWS's JWT is in the ${place} of a request to a token server that is not OAuth`, async (t) => {
    const { set, identity } = await start(t, (issuer) => {
      const { oAuthConfig: _, ...elements } = elementsOf(issuer)
      const tokenResponse = { tokenLocation: 'body', responseFormat: 'JSON', tokenPath: 'access_token' }
      const references = { authServerRef: 'theServer', jwtAuthenticationTokenRef: 'theTokenConfig' }
      return {
        ...elements,
        authToken: { theConfig: { ...references, header: 'x-token', tokenRequest: tokenRequestOf, tokenResponse } },
      }
    })
    const { status, body } = await set.http(tokenRequest('conn'))
    assert.equal(status, 200, JSON.stringify(body))
    const [{ headers, content } = assert.fail()] = set.requests
    const token = headers.authorization?.replace(/^Bearer /, '') ?? JSON.parse(content)['token']
    assert.equal((await verified(identity, token)).sub, identity.roleArn)
  })

test('each attempt has a new JWT, and the clock of a server never changes one', async (t) => {
  let asked = 0
  const ahead = new Date(Date.now() + 240_000).toUTCString()
  const { set, identity } = await start(
    t,
    (issuer) => elementsOf(issuer),
    () => {
      asked += 1
      if (asked === 2)
        return {
          status: 401,
          headers: { date: ahead },
          body: { error: 'invalid_client', error_description: 'expired' },
        }
      return asked === 1 ? { status: 503 } : tokenAnswer()
    },
  )
  const { status } = await set.http(tokenRequest('conn'))
  assert.equal(status, 502, 'the refusal is final')
  assert.equal(set.requests.length, 2, 'no attempt by another clock')
  const jwts = set.requests.map(({ form }) => decodeJwt(form.get('client_assertion') ?? ''))
  assert.equal(new Set(jwts.map(({ jti }) => jti)).size, 2)
  for (const { iat = 0 } of jwts) assert.ok(Math.abs(iat - Date.now() / 1000) < 60, String(iat))
  assert.equal(identity.sts.issued.length, 2)
})

test('what AWS refuses reaches no server, and makes no request wait', async (t) => {
  const { set, identity } = await start(t, (issuer) => elementsOf(issuer))
  identity.sts.setFederation(false)
  const refused = await set.http(tokenRequest('conn'))
  assert.deepEqual([refused.status, refused.body['error']], [500, 'server_error'])
  assert.match(String(refused.body['error_description']), /^AWS gives Tokenwell no identity token\./)
  assert.equal(set.requests.length, 0)
  identity.sts.setFederation(true)
  assert.equal((await set.http(tokenRequest('conn'))).status, 200, 'there is no cool-down')
})

test('a stage without an identity role says so, and asks nobody', async (t) => {
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => elementsOf(issuer),
    () => tokenAnswer(),
  )
  assert.equal((await set.http(tokenRequest('conn'))).status, 500)
  assert.equal(set.requests.length, 0)
})
