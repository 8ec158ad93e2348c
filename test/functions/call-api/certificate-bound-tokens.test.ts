import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { decodeJwt } from 'jose'
import { secretPath } from '../../../lib/adapters/files/file-secrets.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import {
  type CallApiWithOidcProvider,
  startCallApiWithOidcProvider,
} from '../../support/functions/call-api-with-oidc-provider.ts'
import { sendHttp } from '../../support/functions/function-caller.ts'
import { type GivenSecrets, loadFunction, tokenRequest, writeSecret } from '../../support/functions/load-function.ts'
import { plant } from '../../support/output/canary.ts'
import {
  createClientCertificate,
  packPkcs12,
  pemBundle,
  thumbprint,
  thumbprintOf,
} from '../../support/servers/client-certificate.ts'
import { startIfThere } from '../../support/servers/real-server.ts'
import { type Script, type ScriptedApi, startScriptedApi } from '../../support/servers/scripted-api.ts'

/*
 * RFC 8705: a client that authenticates to a real authorization server with its certificate alone, and an API that accepts the
 * token only with that certificate.
 */

const theClient = await createClientCertificate()
const anotherClient = await createClientCertificate('anotherClient')
const passphrase = 'the passphrase of a client'
plant(passphrase)

/** Section 3: the token is valid with the certificate that it names. */
const demandBoundToken: Script = ({ headers, peerCertificate }) => {
  const token = headers.authorization?.replace(/^Bearer /, '') ?? ''
  plant(token)
  const { 'x5t#S256': bound } = (decodeJwt(token)['cnf'] ?? {}) as Record<string, unknown>
  if (peerCertificate && bound === thumbprint(peerCertificate.raw)) return { body: { bound } }
  return { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } }
}

interface TokenRequest {
  readonly form: Readonly<Record<string, unknown>>
  readonly authorization: string
}

interface MutualCalls extends CallApiWithOidcProvider {
  readonly api: ScriptedApi
  /** The requests from clients that the authorization server knew at that time. */
  readonly tokenForms: readonly TokenRequest[]
}

/** A client with that certificate secret for both servers, or with another one for the API. */
async function startMutual(
  t: TestContext,
  client: string | Buffer = pemBundle(theClient),
  secrets: GivenSecrets = {},
  script = demandBoundToken,
): Promise<MutualCalls> {
  const api = await startScriptedApi(t, script, { requestCert: true, rejectUnauthorized: false })
  const apiSsl = secrets['api-client'] === undefined ? 'mutual' : 'other'
  const calls = await startCallApiWithOidcProvider(
    t,
    (issuer) => {
      const elements = exampleElements(issuer, {
        server: { sslCertsRef: 'mutual' },
        oAuth: {
          jwtAuthenticationTokenRef: undefined,
          tlsAuthenticationClientId: 'theClient',
          resource: ['https://api.server.com/things'],
        },
        endpoint: { host: api.origin, sslCertsRef: apiSsl },
      })
      return {
        ...elements,
        ssl: {
          mutual: { trustStoreRef: 'theTrust', keyStoreRef: 'theKeys' },
          other: { trustStoreRef: 'theTrust', keyStoreRef: 'otherKeys' },
        },
        keyStore: {
          ...elements['keyStore'],
          theKeys: { location: 'tokenwell/local/client' },
          otherKeys: { location: 'tokenwell/local/api-client' },
        },
      }
    },
    { secrets: { client, ...secrets } },
  )
  // The same trust store for both servers.
  const { secretsFolder } = calls.workspace
  const ca = await readFile(secretPath(secretsFolder, 'local', 'tokenwell/local/authorization-server-ca'), 'utf8')
  await writeSecret(calls.workspace, 'authorization-server-ca', ca + api.certificate.caCertificate)

  const tokenForms: TokenRequest[] = []
  calls.server.provider.on('grant.success', ({ oidc, request }) => {
    tokenForms.push({ form: { ...oidc.body }, authorization: request.get('authorization') })
  })
  return { ...calls, api, tokenForms }
}

test('a client authenticates with its certificate and client_id alone', async (t) => {
  const calls = await startMutual(t)
  assert.equal((await calls.call()).status, 200, calls.reasons().join('\n'))
  const resource = 'https://api.server.com/things'
  const form = { client_id: 'theClient', grant_type: 'client_credentials', resource }
  assert.deepEqual(calls.tokenForms, [{ form, authorization: '' }])
  const methods = calls.events.flatMap((event) => (event.event === 'client_authenticated' ? [event.method] : []))
  assert.deepEqual(methods, ['tls_client_auth'])
})

test('a certificate-bound token works at an API that is called with the same ssl element', async (t) => {
  const calls = await startMutual(t)
  for (let i = 0; i < 2; i++) {
    const { status, body } = await calls.call()
    assert.equal(status, 200, calls.reasons().join('\n'))
    assert.deepEqual(body, { bound: thumbprintOf(theClient) })
  }
  assert.equal(calls.tokenRequests(), 1)
  assert.equal(calls.api.connections(), 1)
})

test('the same with a certificate in PKCS#12', async (t) => {
  const packed = await startIfThere(t, () => packPkcs12(theClient, passphrase))
  if (!packed) return
  const calls = await startMutual(t, JSON.stringify({ pkcs12: packed.toString('base64'), passphrase }))
  const { status, body } = await calls.call()
  assert.equal(status, 200, calls.reasons().join('\n'))
  assert.deepEqual(body, { bound: thumbprintOf(theClient) })
})

test('with another certificate, or without one, the API rejects the token, and the caller gets that answer', async (t) => {
  const calls = await startMutual(t, pemBundle(theClient), { 'api-client': pemBundle(anotherClient) })
  const { status, headers } = await calls.call()
  assert.equal(status, 401)
  assert.equal(headers['www-authenticate'], 'Bearer error="invalid_token"')
  assert.equal(headers['proxy-status'], undefined, "it is the API's answer")
  const [{ peerCertificate } = {}] = calls.api.requests
  assert.equal(peerCertificate && thumbprint(peerCertificate.raw), thumbprintOf(anotherClient))
  assert.equal(calls.tokenRequests(), 1)
})

test('a certificate that is not registered causes a refusal of the client, without a further attempt', async (t) => {
  const calls = await startMutual(t)
  await writeSecret(calls.workspace, 'client', pemBundle(anotherClient))
  const { status, body } = await calls.call()
  assert.equal(status, 502)
  assert.match(String(body['error_description']), /refused this connection's client \(invalid_client\)/)
  assert.equal(calls.tokenRequests(), 1)
  assert.equal(calls.api.requests.length, 0)
})

test('after a refusal of a replaced certificate, the client repeats the token request with the new one', async (t) => {
  const calls = await startMutual(t)
  await writeSecret(calls.workspace, 'client', pemBundle(anotherClient))
  // The new certificate is stored before the client gets the refusal.
  const path = secretPath(calls.workspace.secretsFolder, 'local', 'tokenwell/local/client')
  calls.server.provider.once('grant.error', () => writeFileSync(path, pemBundle(theClient)))
  const { status, body } = await calls.call()
  assert.equal(status, 200, calls.reasons().join('\n'))
  assert.deepEqual(body, { bound: thumbprintOf(theClient) })
  assert.equal(calls.tokenRequests(), 2)
  assert.ok(calls.events.some(({ event }) => event === 'newer_secret_found'))
})

test('after an API refuses a replaced certificate, the call is repeated with the new one', async (t) => {
  let accepted = theClient
  const calls = await startMutual(t, pemBundle(theClient), {}, ({ peerCertificate }) =>
    peerCertificate && thumbprint(peerCertificate.raw) === thumbprintOf(accepted) ? { body: {} } : { status: 401 },
  )
  assert.equal((await calls.call()).status, 200, calls.reasons().join('\n'))
  accepted = anotherClient
  await writeSecret(calls.workspace, 'client', pemBundle(anotherClient))
  assert.equal((await calls.call()).status, 200, calls.reasons().join('\n'))
  assert.equal(calls.api.requests.length, 3)
  assert.equal(calls.tokenRequests(), 1)
  assert.ok(calls.events.some((each) => each.event === 'api_call_repeated' && each.reason === 'newer_secret'))
})

test('issue-token hands out a certificate-bound token unchanged', async (t) => {
  const calls = await startMutual(t)
  const handler = await loadFunction('issue-token', calls.workspace)
  const { status, body } = await sendHttp(handler, tokenRequest('conn'))
  assert.equal(status, 200)
  assert.deepEqual(decodeJwt(String(body['access_token']))['cnf'], { 'x5t#S256': thumbprintOf(theClient) })
})
