import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { PutSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import { decodeProtectedHeader } from 'jose'
import { copyToEmulator } from '../../../infra/local/stores.ts'
import type { Workspace } from '../../../infra/local/workspace.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { startCaller } from '../../support/functions/function-caller.ts'
import { startIssueTokenWithOidcProvider } from '../../support/functions/issue-token-with-oidc-provider.ts'
import {
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest } from '../../support/functions/load-function.ts'
import { startMotoBehindProxy } from '../../support/servers/aws-proxy.ts'

/* The function with Parameter Store, Secrets Manager and DynamoDB in moto. */

async function startGround(t: TestContext) {
  const started = await startMotoBehindProxy(t)
  if (!started) return undefined
  const { moto, proxy } = started
  return {
    moto,
    async move(workspace: Workspace) {
      // The test is about the calls, not the speed of the machine.
      return { ...(await copyToEmulator(workspace)).environment, TOKENWELL_CACHE_BUDGET_MILLISECONDS: '10000' }
    },
    /** The calls since the last time, with the names of secrets that were read. */
    calls() {
      const calls = proxy.requests.slice(seen)
      seen = proxy.requests.length
      return calls.map(({ operation, body }) => [operation, body['SecretId']].filter(Boolean).join(' '))
    },
  }
}
let seen = 0

test('a cache hit of a cold instance is one read of the cache secret and one of the table, and nothing else', async (t) => {
  const ground = await startGround(t)
  if (!ground) return
  const set = await startIssueTokenWithOidcProvider(t, exampleElements)
  const environment = await ground.move(set.workspace)
  ground.calls()

  const first = await startCaller(set.workspace, environment)
  const keys = 'GetSecretValue tokenwell/local/cache'
  assert.deepEqual(ground.calls(), [keys], 'before somebody asks nothing else is read')
  const token = await first.http(tokenRequest('conn'))
  assert.equal(token.body['source'], 'server')
  const cold = ground.calls()
  t.diagnostic(cold.join(', '))
  assert.equal(cold.filter((call) => call === 'GetParameters').length, 5, 'one for each level of its elements')
  assert.ok(!cold.includes('GetParametersByPath'), 'nothing is listed')
  assert.deepEqual(
    cold.filter((call) => call.endsWith('Item')),
    // A look; the lease, the elements; whether a secret has changed, and what cools down; that it is used; the fence, the token.
    ['BatchGetItem', 'PutItem', 'PutItem', 'GetItem', 'BatchGetItem', 'PutItem', 'BatchGetItem', 'PutItem'],
  )

  const second = await startCaller(set.workspace, environment)
  const hit = await second.http(tokenRequest('conn'))
  assert.equal(hit.body['source'], 'cache')
  assert.equal(hit.body['access_token'], token.body['access_token'])
  assert.deepEqual(ground.calls(), [keys, 'BatchGetItem'])

  assert.equal((await second.http(tokenRequest('conn'))).body['source'], 'memory')
  assert.deepEqual(ground.calls(), [])
  assert.equal(set.tokenRequests(), 1)
})

test('a token that one instance rejects is not handed out by another that has read the shared cache', async (t) => {
  const ground = await startGround(t)
  if (!ground) return
  const set = await startIssueTokenWithOidcProvider(t, exampleElements)
  const environment = { ...(await ground.move(set.workspace)), TOKENWELL_MEMORY_SECONDS: '0' }
  const [one, other] = [await startCaller(set.workspace, environment), await startCaller(set.workspace, environment)]
  const { body } = await one.http(tokenRequest('conn'))
  assert.equal((await other.http(tokenRequest('conn'))).body['token_id'], body['token_id'])

  const path = '/connections/conn/token'
  const dropped = await other.http({ method: 'DELETE', path, query: `token_id=${body['token_id']}` })
  assert.equal(dropped.status, 204)
  const next = await one.http(tokenRequest('conn'))
  assert.equal(next.body['source'], 'server')
  assert.notEqual(next.body['token_id'], body['token_id'])
})

/** The function with a key of the operator, and a server that knows keys by their `kid`. */
async function startWithOwnKey(t: TestContext) {
  const ground = await startGround(t)
  if (!ground) return undefined
  const secretId = 'tokenwell/local/the-key'
  const known = new Set<string>()
  const server = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => ({
      ...exampleElements(issuer, {
        builder: { jwkEnabled: undefined, signatureAlgorithm: 'ES256', keyStoreRef: 'theKeys' },
      }),
      keyStore: {
        theKeys: { location: secretId },
        theTrust: { location: 'tokenwell/local/authorization-server-ca' },
      },
    }),
    ({ form }) => (known.has(signedBy(form)) ? tokenAnswer() : { status: 401, body: { error: 'invalid_client' } }),
  )
  const environment = await ground.move(server.workspace)
  return {
    server,
    know(kid: string) {
      known.clear()
      known.add(kid)
    },
    put: (kid: string) =>
      ground.moto.secretsManager.send(
        new PutSecretValueCommand({ SecretId: secretId, SecretString: somePrivateJwk(kid) }),
      ),
    startCaller: () => startCaller(server.workspace, environment),
    signers: () => server.requests.map(({ form }) => signedBy(form)),
  }
}

function signedBy(form: URLSearchParams): string {
  return String(decodeProtectedHeader(form.get('client_assertion') ?? '').kid)
}

test('after a refusal the key is read again, and a newer version signs one further attempt', async (t) => {
  const own = await startWithOwnKey(t)
  if (!own) return
  const { server, know, put } = own
  await put('old')
  know('old')
  const caller = await own.startCaller()
  const first = await caller.http(tokenRequest('conn'))
  assert.equal(first.status, 200)

  await put('new')
  know('new')
  const rejection = `rejected_token_id=${first.body['token_id']}`
  const second = await caller.http(tokenRequest('conn', '', rejection))
  assert.equal(second.body['source'], 'server')
  assert.equal(server.requests.length, 3)

  know('nothing of ours')
  const third = await caller.http(tokenRequest('conn', 'scope=other'))
  assert.equal(third.status, 502, 'there is no newer one')
  assert.deepEqual(own.signers(), ['old', 'old', 'new', 'new', 'old'], 'and no attempt after that with the one before')
})

test('a new key that the server does not know yet fails no request: the previous version signs a further attempt', async (t) => {
  const own = await startWithOwnKey(t)
  if (!own) return
  const { know, put } = own
  await put('older')
  await put('old')
  know('old')
  await put('new')
  const caller = await own.startCaller()
  assert.equal((await caller.http(tokenRequest('conn'))).status, 200)
  assert.equal((await caller.http(tokenRequest('conn', 'scope=other'))).status, 200)
  assert.deepEqual(own.signers(), ['new', 'old', 'new', 'old'])

  know('new')
  assert.equal((await caller.http(tokenRequest('conn', 'scope=third'))).status, 200)
  assert.deepEqual(own.signers().slice(4), ['new'])
})

function somePrivateJwk(kid: string): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return JSON.stringify({ ...privateKey.export({ format: 'jwk' }), kid })
}
