import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { PutSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import { copyToEmulator } from '../../../infra/local/stores.ts'
import { type ElementChanges, exampleElements, type RawElements } from '../../support/elements/elements.ts'
import { startCaller } from '../../support/functions/function-caller.ts'
import { startIssueTokenWithOidcProvider } from '../../support/functions/issue-token-with-oidc-provider.ts'
import { tokenRequest } from '../../support/functions/load-function.ts'
import { plant } from '../../support/output/canary.ts'
import { startMotoBehindProxy } from '../../support/servers/aws-proxy.ts'

/* A client secret that changes at oidc-provider and in Secrets Manager (moto), for each way to authenticate by such a secret. */

const name = 'tokenwell/local/the-secret'
const byPassword: ElementChanges = {
  server: { basicAuthRef: 'theData' },
  oAuth: { jwtAuthenticationTokenRef: undefined },
}
const ways: readonly (readonly [string, ElementChanges, 'password' | 'key'])[] = [
  ['client_secret_basic', byPassword, 'password'],
  [
    'client_secret_post',
    { ...byPassword, oAuth: { ...byPassword.oAuth, clientAuthentication: 'client_secret_post' } },
    'password',
  ],
  ['client_secret_jwt', { builder: { jwkEnabled: undefined, signatureAlgorithm: 'HS256', sharedKey: name } }, 'key'],
]

function elementsOf(issuer: string, changes: ElementChanges): RawElements {
  return { ...exampleElements(issuer, changes), authData: { theData: { user: 'theClient', passwordSecret: name } } }
}

/** The members of oidc-provider's client that hold its secret. */
interface RegisteredClient {
  clientSecret: string
  readonly symmetricKeyStore: { clear(): void; add(key: object): void }
}

async function startChange(t: TestContext, changes: ElementChanges) {
  const started = await startMotoBehindProxy(t)
  if (!started) return undefined
  const set = await startIssueTokenWithOidcProvider(t, (issuer) => elementsOf(issuer, changes))
  const { environment } = await copyToEmulator(set.workspace)
  const client = (await set.server.provider.Client.find('theClient')) as unknown as RegisteredClient
  const settings = { ...environment, TOKENWELL_CACHE_BUDGET_MILLISECONDS: '10000' }
  let asked = 0
  return {
    /** The secret that the server knows first. */
    first: client.clientSecret,
    /** The server accepts this secret from now on, and no other one. */
    changeAtServer(secret: string) {
      client.clientSecret = secret
      client.symmetricKeyStore.clear()
      const k = Buffer.from(secret).toString('base64url')
      client.symmetricKeyStore.add({ alg: 'HS256', use: 'sig', kty: 'oct', k })
    },
    /** Stores a new current version. */
    async store(text: string) {
      const command = new PutSecretValueCommand({ SecretId: name, SecretString: text })
      await started.moto.secretsManager.send(command)
    },
    startCaller: () => startCaller(set.workspace, settings),
    /** Requests a token that no instance has, and returns how many token requests the server got for it. */
    async requestsFor(caller: Awaited<ReturnType<typeof startCaller>>) {
      const before = set.tokenRequests()
      const answer = await caller.http(tokenRequest('conn', `resource=https://api.server.com/${asked++}`))
      assert.deepEqual([answer.status, answer.body['source']], [200, 'server'], JSON.stringify(answer.body))
      return set.tokenRequests() - before
    },
  }
}

function newSecret(): string {
  const secret = randomBytes(48).toString('base64url')
  plant(secret)
  return secret
}

for (const [method, changes, member] of ways) {
  test(`${method}: a secret that is stored before the server knows it fails no request, and costs one more each`, async (t) => {
    const change = await startChange(t, changes)
    if (!change) return
    const [running, second] = [await change.startCaller(), newSecret()]
    assert.equal(await change.requestsFor(running), 1)

    await change.store(second)
    assert.equal(await change.requestsFor(running), 1, 'this instance still has the former secret')
    const cold = await change.startCaller()
    assert.deepEqual([await change.requestsFor(cold), await change.requestsFor(cold)], [2, 2])

    change.changeAtServer(second)
    assert.deepEqual([await change.requestsFor(cold), await change.requestsFor(cold)], [1, 1])
    assert.deepEqual([await change.requestsFor(running), await change.requestsFor(running)], [2, 1])
  })

  test(`${method}: a secret that the server changes before it is stored fails no request, and costs one more once`, async (t) => {
    const change = await startChange(t, changes)
    if (!change) return
    const [running, second] = [await change.startCaller(), newSecret()]
    assert.equal(await change.requestsFor(running), 1)

    change.changeAtServer(second)
    await change.store(second)
    assert.deepEqual([await change.requestsFor(running), await change.requestsFor(running)], [2, 1])
    const cold = await change.startCaller()
    assert.equal(await change.requestsFor(cold), 1)
  })

  test(`${method}: a former secret with members beside it is tried as well`, async (t) => {
    const change = await startChange(t, changes)
    if (!change) return
    await change.store(JSON.stringify({ [member]: change.first, hosts: ['localhost'] }))
    await change.store(JSON.stringify({ [member]: newSecret(), hosts: ['localhost'] }))
    assert.equal(await change.requestsFor(await change.startCaller()), 2)
  })
}
