import assert from 'node:assert/strict'
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { SignJWT } from 'jose'
import { createServerCertificate, type ServerCertificate } from '../../infra/local/certificate-authority.ts'
import { createHttpGateway, createLocalContext, type LambdaHandler } from '../../infra/local/http-gateway.ts'
import { listen } from '../../infra/local/listen.ts'
import type { Workspace } from '../../infra/local/workspace.ts'
import { eventChannel } from '../../lib/adapters/process/published-bus.ts'
import { openSharedCache } from '../../lib/application/open-store.ts'
import { publishedKeysRecordName, type RecordStore } from '../../lib/fleet/record-store.ts'
import { exampleElements } from '../support/elements/elements.ts'
import { createWorkspace, startCaller } from '../support/functions/function-caller.ts'
import { loadFunction, tokenRequest } from '../support/functions/load-function.ts'
import { captureLog } from '../support/output/captured-log.ts'
import { startKeySetReadingServer } from '../support/servers/key-set-reading-server.ts'
import { thePassword } from '../support/virtual/virtual-ports.ts'

/*
 * An attacker can write to the table, and nothing else. To get a client's tokens, they append their own public key to
 * the published keys. The authorization server is a real one.
 */

const name = publishedKeysRecordName('theBuilder')
const mine = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const tenYears = Date.now() + 10 * 365 * 86_400_000

test('a key that a writer to the table appends is not served, gets no token, and is gone with the next reconciliation', async (t) => {
  const log = captureLog(t)
  const stage = await startStage(t)
  const { server, reconcile, store, caller } = stage
  await reconcile()
  await server.readKeys()
  assert.equal((await caller.http(tokenRequest('conn'))).status, 200)

  await appendKey(store)
  await assert.rejects(server.readKeys(), 'the server gets a 503, and keeps the keys that it has')
  assert.deepEqual(
    log.flatMap((event) => (event.event === 'publication_refused' ? [event.why] : [])),
    ['wrong_signature'],
  )
  assert.equal(await stage.tokenWith(await forgedAssertion(server.issuer)), 401)
  assert.equal((await caller.http(tokenRequest('conn', 'scope=other'))).status, 200, "Tokenwell's own keys still work")

  stage.serveUnverified(true)
  await server.readKeys()
  assert.equal(
    await stage.tokenWith(await forgedAssertion(server.issuer)),
    200,
    'without a check of the signature the attack succeeds',
  )
  stage.serveUnverified(false)

  await reconcile()
  await server.readKeys()
  assert.equal(await stage.tokenWith(await forgedAssertion(server.issuer)), 401)
  assert.deepEqual(await kidsIn(store), [String(server.taken.keys().next().value)])
})

async function startStage(t: TestContext) {
  const certificate = await createServerCertificate(['localhost'])
  const cache = `memory:${randomUUID()}`
  const environment = { TOKENWELL_CACHE: cache, TOKENWELL_EVENTS: 'process' }
  const hear = () => {}
  subscribe(eventChannel, hear)
  t.after(() => unsubscribe(eventChannel, hear))
  const place = { kind: 'memory', name: cache.replace('memory:', '') } as const
  const { store } = openSharedCache({ place, secretName: '', budgetMilliseconds: 250 }, thePassword, 'local')
  let isVerified = true
  let made: Workspace | undefined
  const server = await startKeySetReadingServer(t, certificate, async (issuer) => {
    const elements = exampleElements(issuer, {
      builder: { signatureAlgorithm: 'ES256', jwkEnabled: undefined, keyStoreRef: 'theKeys' },
    })
    const workspace = await createWorkspace(
      t,
      { ...elements, keyStore: { ...elements['keyStore'], theKeys: { location: 'tokenwell/local/the-keys' } } },
      certificate,
    )
    made = workspace
    const url = await serve(t, async (event, context) => {
      if (!isVerified) return unverified(store)
      // A new instance each time, because an instance relies on what it read for 30 s.
      const publishKeys = await loadFunction('publish-keys', workspace, environment)
      return (await publishKeys(event, context)) as ReturnType<LambdaHandler>
    })
    return {
      client_id: 'theClient',
      redirect_uris: [],
      response_types: [],
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks_uri: `${url}/jwt/theBuilder/jwk`,
    }
  })
  assert(made)
  const refreshToken = await loadFunction('refresh-token', made, environment)
  return {
    ...{ server, store },
    caller: await startCaller(made, environment),
    serveUnverified(isSo: boolean) {
      isVerified = !isSo
    },
    async reconcile() {
      const body = JSON.stringify({ source: 'tokenwell-local', 'detail-type': 'ReconcileElements', detail: {} })
      const message = { messageId: 'one', body, attributes: { ApproximateReceiveCount: '1' } }
      const answer = await refreshToken({ Records: [message] }, createLocalContext(Date.now()))
      assert.deepEqual(answer, { batchItemFailures: [] })
    },
    tokenWith: (assertion: string) => statusOfTokenRequest(server.issuer, certificate, assertion),
  }
}

async function serve(t: TestContext, handler: LambdaHandler): Promise<string> {
  const gateway = createHttpGateway(handler)
  t.after(() => {
    gateway.closeAllConnections()
    gateway.close()
  })
  return `http://localhost:${await listen(gateway, 0, 'localhost')}`
}

/** What a verifier shows if it checks no signature. */
async function unverified(store: RecordStore) {
  const [record] = await store.read([name])
  const body = String(record?.fields['jwks'])
  return { statusCode: 200, headers: { 'content-type': 'application/json' }, body }
}

async function appendKey(store: RecordStore): Promise<void> {
  const [record] = await store.read([name])
  assert(record)
  const { keys } = JSON.parse(String(record.fields['jwks']))
  const jwk = { ...mine.publicKey.export({ format: 'jwk' }), kid: 'mine', use: 'sig', alg: 'ES256' }
  const jwks = JSON.stringify({ keys: [...keys, { ...jwk, publishedAt: Date.now(), until: tenYears }] })
  assert.ok(await store.write(name, { ...record, version: 'mine', fields: { ...record.fields, jwks } }, record.version))
}

async function kidsIn(store: RecordStore): Promise<string[]> {
  const [record] = await store.read([name])
  const { keys } = JSON.parse(String(record?.fields['jwks']))
  return keys.map(({ kid }: { readonly kid: string }) => kid)
}

async function forgedAssertion(issuer: string): Promise<string> {
  return await new SignJWT({ iss: 'theClient', sub: 'theClient', aud: issuer, jti: randomUUID() })
    .setProtectedHeader({ alg: 'ES256', kid: 'mine' })
    .setIssuedAt()
    .setExpirationTime('1m')
    .sign(mine.privateKey)
}

async function statusOfTokenRequest(
  issuer: string,
  { caCertificate }: ServerCertificate,
  assertion: string,
): Promise<number> {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  })
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const asked = request(`${issuer}/token`, { method: 'POST', headers, ca: caCertificate }, (response) => {
    void text(response).then(() => resolve(response.statusCode ?? 0), reject)
  })
  asked.on('error', reject).end(form.toString())
  return await promise
}
