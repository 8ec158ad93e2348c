import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createConnector } from '../../lib/adapters/http/connector.ts'
import { Secret } from '../../lib/secret/secret.ts'
import { KeyStoreError } from '../../lib/signing/signing-key.ts'
import { exampleElements, type RawElements } from '../support/elements/elements.ts'
import { plainConnection } from '../support/elements/plain-connection.ts'
import {
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest, writeSecret } from '../support/functions/load-function.ts'
import { createClientCertificate } from '../support/servers/client-certificate.ts'
import { singleVersionSecrets } from '../support/virtual/secret-stores.ts'

/* Its kind and its hosts decide where a secret may go, whatever an element says. */

const passwordSecret = 'tokenwell/local/the-password'

function byPassword(issuer: string): RawElements {
  const changes = { server: { basicAuthRef: 'theData' }, oAuth: { jwtAuthenticationTokenRef: undefined } }
  return { ...exampleElements(issuer, changes), authData: { theData: { user: 'theClient', passwordSecret } } }
}

function bySharedKey(issuer: string): RawElements {
  const builder = { jwkEnabled: undefined, signatureAlgorithm: 'HS256', sharedKey: passwordSecret }
  return exampleElements(issuer, { builder })
}

async function ask(t: TestContext, elements: (issuer: string) => RawElements, text: string) {
  const { http, requests, workspace } = await startIssueTokenWithScriptedServer(t, elements, () => tokenAnswer())
  await writeSecret(workspace, 'the-password', text)
  const { status, body } = await http(tokenRequest('conn'))
  return { status, answer: JSON.stringify(body), requests: requests.length }
}

for (const [kind, elements, member] of [
  ['password', byPassword, 'password'],
  ['shared key', bySharedKey, 'key'],
] as const) {
  test(`a ${kind} goes to the hosts that its secret names, and to no other`, async (t) => {
    const text = (host: string) => JSON.stringify({ [member]: 'x'.repeat(32), hosts: [host] })
    assert.equal((await ask(t, elements, text('localhost'))).status, 200)
    const refused = await ask(t, elements, text('as.example.com'))
    assert.deepEqual([refused.status, refused.requests], [500, 0])
    assert.doesNotMatch(refused.answer, /xxx|example/)
  })

  test(`a secret that holds keys is not used as a ${kind}: nothing is sent`, async (t) => {
    const { privateKey } = await createClientCertificate()
    for (const text of [privateKey, JSON.stringify({ seed: 'y'.repeat(43) })]) {
      const refused = await ask(t, elements, text)
      assert.deepEqual([refused.status, refused.requests], [500, 0])
    }
  })
}

const { authorizationServer: server } = plainConnection

test('a client certificate is presented to the hosts that its secret names, and to no other', async () => {
  const { privateKey, certificate } = await createClientCertificate()
  const text = (host: string) => JSON.stringify({ privateKey, certificate, hosts: [host] })
  const connect = (host: string) =>
    createConnector(
      { ...server, tls: { ...server.tls, clientCertificate: 'tokenwell/local/tls' } },
      singleVersionSecrets(async () => new Secret(text(host))),
    )
  await connect('as.example.com')
  await assert.rejects(
    connect('other.example.com'),
    /is not allowed for as\.example\.com, the host of authorizationServer\/theServer/,
  )
})

test("a proxy's password goes to the hosts that its secret names, and to no other", async () => {
  const proxy = { id: 'theProxy', host: 'proxy.example.com', port: 8080, credentials: { user: 'u', passwordSecret } }
  const connect = (host: string) =>
    createConnector(
      { ...server, proxy },
      singleVersionSecrets(async () => new Secret(JSON.stringify({ password: 'x', hosts: [host] }))),
    )
  await connect('proxy.example.com')
  await assert.rejects(
    connect('as.example.com'),
    /is not allowed for proxy\.example\.com, the host of proxyConfig\/theProxy/,
  )
})

test("the cache's secret and generated keys are used for nothing else, even where an element got through", async () => {
  const secrets = singleVersionSecrets(async () => new Secret('x'))
  for (const name of ['tokenwell/local/cache', 'tokenwell/local/jwk/theBuilder'])
    for (const tls of [{ clientCertificate: name }, { trustStore: name }])
      await assert.rejects(createConnector({ ...server, tls: { ...server.tls, ...tls } }, secrets), KeyStoreError)
})
