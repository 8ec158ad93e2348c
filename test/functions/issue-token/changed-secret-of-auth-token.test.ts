import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { PutSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import { copyToEmulator } from '../../../infra/local/stores.ts'
import type { RawElements } from '../../support/elements/elements.ts'
import { type Caller, createWorkspace, startCaller } from '../../support/functions/function-caller.ts'
import { tokenRequest } from '../../support/functions/load-function.ts'
import { plant } from '../../support/output/canary.ts'
import { startMotoBehindProxy } from '../../support/servers/aws-proxy.ts'
import {
  type Credentials,
  startStrictZosConnectTokenServer,
} from '../../support/servers/strict-zos-connect-token-server.ts'

/* A secret of an `authToken` that changes at the token server and in Secrets Manager (moto), at each place of the request. */

const name = 'tokenwell/local/the-secret'
const connections = 8

type Attributes = Readonly<Record<string, unknown>>

const ways: readonly (readonly [string, Credentials, Attributes, server: Attributes])[] = [
  ['in Authorization', { in: 'basic' }, {}, { basicAuthRef: 'theUser' }],
  [
    'in a header of its own',
    { in: 'headers', user: 'X-User', password: 'X-Password' },
    { userHeader: 'X-User', passwordHeader: 'X-Password' },
    { basicAuthRef: 'theUser' },
  ],
  [
    'as a leaf of the body',
    { in: 'body', user: 'name', password: 'password' },
    { credentialLocation: 'body', requestBody: { name: { user: true }, password: { password: true } } },
    { basicAuthRef: 'theUser' },
  ],
  [
    'as a secret in the body',
    { in: 'body', user: 'name', password: 'password', form: 'form' },
    { credentialLocation: 'body', bodyFormat: 'form', requestBody: { name: 'jwtuser', password: { secret: name } } },
    {},
  ],
]

function elementsFor(tokenEndpoint: string, request: Attributes, server: Attributes): RawElements {
  const names = Array.from({ length: connections }, (_, index) => `conn${index}`)
  return {
    endpointConnection: Object.fromEntries(names.map((each) => [each, { authenticationConfigRef: 'theToken' }])),
    authToken: {
      theToken: { authServerRef: 'theServer', tokenRequest: request, tokenResponse: { responseFormat: 'Text' } },
    },
    authorizationServer: { theServer: { tokenEndpoint, ...server } },
    authData: { theUser: { user: 'jwtuser', passwordSecret: name } },
    ssl: { defaultSSLConfig: { trustStoreRef: 'theTrust' } },
    keyStore: { theTrust: { location: 'tokenwell/local/authorization-server-ca' } },
  }
}

function newSecret(): string {
  const secret = randomBytes(30).toString('base64url')
  plant(secret)
  return secret
}

async function startChange(t: TestContext, credentials: Credentials, request: Attributes, more: Attributes) {
  const started = await startMotoBehindProxy(t)
  if (!started) return undefined
  const options = { credentials, token: { in: 'text' as const }, password: newSecret() }
  const server = await startStrictZosConnectTokenServer(t, options)
  const elements = elementsFor(server.tokenEndpoint, request, more)
  const workspace = await createWorkspace(t, elements, server.certificate, { 'the-secret': options.password })
  const { environment } = await copyToEmulator(workspace)
  let asked = 0
  return {
    /** The server accepts this secret from now on, and no other one. */
    changeAtServer(secret: string) {
      options.password = secret
    },
    /** Stores a new current version. */
    async store(text: string) {
      await started.moto.secretsManager.send(new PutSecretValueCommand({ SecretId: name, SecretString: text }))
    },
    startCaller: () => startCaller(workspace, { ...environment, TOKENWELL_CACHE_BUDGET_MILLISECONDS: '10000' }),
    /** Requests a token that no instance has, and returns how many token requests the server got for it. */
    async requestsFor({ http }: Caller) {
      const before = server.accepted.length + server.refusals.length
      const answer = await http(tokenRequest(`conn${asked++}`))
      assert.deepEqual([answer.status, answer.body['source']], [200, 'server'], JSON.stringify(answer.body))
      return server.accepted.length + server.refusals.length - before
    },
  }
}

for (const [place, credentials, request, more] of ways) {
  test(`${place}: a secret that is stored before the server knows it fails no request`, async (t) => {
    const change = await startChange(t, credentials, request, more)
    if (!change) return
    const second = newSecret()
    assert.equal(await change.requestsFor(await change.startCaller()), 1)

    await change.store(second)
    const cold = await change.startCaller()
    assert.deepEqual([await change.requestsFor(cold), await change.requestsFor(cold)], [2, 2])

    change.changeAtServer(second)
    assert.equal(await change.requestsFor(cold), 1)
  })

  test(`${place}: a secret that the server changes before it is stored is read again after the first refusal`, async (t) => {
    const change = await startChange(t, credentials, request, more)
    if (!change) return
    const [running, second] = [await change.startCaller(), newSecret()]
    assert.equal(await change.requestsFor(running), 1)

    change.changeAtServer(second)
    await change.store(second)
    assert.deepEqual([await change.requestsFor(running), await change.requestsFor(running)], [2, 1])
  })
}
