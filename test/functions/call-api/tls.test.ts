import assert from 'node:assert/strict'
import 'reflect-metadata'
import { KeyObject, webcrypto } from 'node:crypto'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import * as x509 from '@peculiar/x509'
import { createServerCertificate, type ServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import {
  type CallApiWithOidcProvider,
  startCallApiWithOidcProvider,
} from '../../support/functions/call-api-with-oidc-provider.ts'
import type { HttpAnswer } from '../../support/functions/function-caller.ts'
import { type GivenSecrets, writeSecret } from '../../support/functions/load-function.ts'
import { plant } from '../../support/output/canary.ts'
import { allowOldTls } from '../../support/process/this-process.ts'
import {
  createClientCertificate,
  packPkcs12,
  pemBundle,
  thumbprint,
  thumbprintOf,
} from '../../support/servers/client-certificate.ts'
import { startIfThere } from '../../support/servers/real-server.ts'
import { type ScriptedApi, startScriptedApi } from '../../support/servers/scripted-api.ts'
import { startOpensslServer } from './openssl-server.ts'

/* The function with APIs of various TLS settings, and a token of a real authorization server. */

const theClient = await createClientCertificate()
const anotherClient = await createClientCertificate('anotherClient')
const passphrase = 'the passphrase of a client'
plant(passphrase)
/** A secret is read again after five minutes. A token is valid for ten. */
const readAgainMilliseconds = 330_000

interface ApiSsl {
  readonly ssl?: Record<string, unknown>
  /** The API's CA bundle if left out. With null no trust store is configured. */
  readonly trust?: string | null
  /** The secret with the client certificate. */
  readonly client?: string | Buffer
}

/** The function, and a connection to that API with its own `ssl` element. */
function callsTo(
  t: TestContext,
  api: Pick<ScriptedApi, 'origin' | 'certificate'>,
  { ssl = {}, trust = api.certificate.caCertificate, client }: ApiSsl = {},
): Promise<CallApiWithOidcProvider> {
  const secrets: GivenSecrets = {
    ...(trust !== null && { 'api-ca': trust }),
    ...(client !== undefined && { client }),
  }
  return startCallApiWithOidcProvider(
    t,
    (issuer) => {
      const elements = exampleElements(issuer, { endpoint: { host: api.origin, sslCertsRef: 'apiSsl' } })
      return {
        ...elements,
        ssl: {
          ...elements['ssl'],
          apiSsl: {
            ...(trust !== null && { trustStoreRef: 'apiTrust' }),
            ...(client !== undefined && { keyStoreRef: 'client' }),
            ...ssl,
          },
        },
        keyStore: {
          ...elements['keyStore'],
          ...(trust !== null && { apiTrust: { location: 'tokenwell/local/api-ca' } }),
          ...(client !== undefined && { client: { location: 'tokenwell/local/client' } }),
        },
      }
    },
    { secrets },
  )
}

/** The call failed for that reason before the request was sent. The caller learns only the kind of failure. */
async function assertRefused(
  calls: CallApiWithOidcProvider,
  api: ScriptedApi,
  error: 'tls_certificate_error' | 'tls_alert_received' | 'tls_protocol_error',
  reason: RegExp,
): Promise<void> {
  const { status, headers, body } = await calls.call()
  assert.equal(status, 502, JSON.stringify(body))
  assert.equal(headers['proxy-status'], `tokenwell; error=${error}`)
  const [logged, ...more] = calls.reasons()
  assert.deepEqual(more, [])
  assert.match(String(logged), reason)
  assert.ok(logged?.includes(api.origin), 'says which API')
  assert.match(String(body['error_description']), /The API did not get the request\./)
  assert.doesNotMatch(JSON.stringify(body), /tokenwell\/local|localhost/, 'places are no business of the caller')
  assert.equal(api.requests.length, 0)
}

/** @returns the thumbprint of the client certificate that the API saw */
async function assertCalled(calls: CallApiWithOidcProvider, api: ScriptedApi): Promise<string | undefined> {
  const before = api.requests.length
  const answer = await calls.call()
  assert.equal(answer.status, 200, calls.reasons().join('\n'))
  assert.equal(api.requests.length, before + 1)
  const request = api.requests.at(-1)
  const [scheme, token] = request?.headers.authorization?.split(' ') ?? []
  assert.equal(scheme, 'Bearer')
  plant(token)
  return request?.peerCertificate && thumbprint(request.peerCertificate.raw)
}

test("an API is trusted by its own trustStoreRef, independent of the authorization server's", async (t) => {
  const api = await startScriptedApi(t)
  const foreign = await createServerCertificate(['localhost'])
  const calls = await callsTo(t, api, { trust: foreign.caCertificate + api.certificate.caCertificate })
  assert.equal(await assertCalled(calls, api), undefined, 'no certificate is shown that nobody has named')
})

test('without a trust store an API with an unknown CA is refused with a message that names trustStoreRef', async (t) => {
  const api = await startScriptedApi(t)
  const reason =
    /sent a certificate of an unknown CA \(\w+\)\. Set trustStoreRef on the ssl element to a keyStore with its CA bundle\. The certificate of CN=Tokenwell local run, which signed CN=.*, is missing\. /
  await assertRefused(await callsTo(t, api, { trust: null }), api, 'tls_certificate_error', reason)
})

test("an API with a CA that isn't in the trust store is refused with a message that names the trust store", async (t) => {
  const api = await startScriptedApi(t)
  const { caCertificate: trust } = await createServerCertificate(['localhost'])
  const reason =
    /sent a certificate that no CA in the trust store tokenwell\/local\/api-ca signed \(\w+\)\. Add the CA of the server to it, or let trustStoreRef name another keyStore\. The certificate of CN=Tokenwell local run, which signed .*, is missing\. /
  await assertRefused(await callsTo(t, api, { trust }), api, 'tls_certificate_error', reason)
})

test('a certificate that has expired, or is not for this host name, is refused', async (t) => {
  for (const [certificate, reason] of [
    [await createExpired(t), /sent a certificate that has expired\. Renew the certificate on the server\.$/],
    [
      await createServerCertificate(['other.example']),
      /sent a certificate that is not valid for the host name in its element\. Check the host name\.$/,
    ],
  ] as const) {
    const api = await startScriptedApi(t, undefined, { certificate })
    await assertRefused(await callsTo(t, api), api, 'tls_certificate_error', reason)
  }
})

async function createExpired(t: TestContext): Promise<ServerCertificate> {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() - 2 * 365 * 86_400_000 })
  const certificate = await createServerCertificate(['localhost'])
  t.mock.timers.reset()
  return certificate
}

test('a certificate with a weak key is refused, whatever CA has signed it', async (t) => {
  const certificate = await createWeak()
  const api = await startScriptedApi(t, undefined, { certificate, ciphers: 'DEFAULT@SECLEVEL=0' })
  const reason = /sent a certificate that cannot be trusted, for example because its key or signature is too weak\.$/
  await assertRefused(await callsTo(t, api), api, 'tls_certificate_error', reason)
})

/** RSA with 1024 bits, self-signed. */
async function createWeak(): Promise<ServerCertificate> {
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const
  const size = { modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]) }
  const keys = await webcrypto.subtle.generateKey({ ...algorithm, ...size }, true, ['sign', 'verify'])
  const signed = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=localhost',
    keys,
    signingAlgorithm: algorithm,
    notAfter: new Date(Date.now() + 86_400_000),
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }])],
  })
  const certificate = signed.toString('pem')
  const privateKey = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString()
  return { caCertificate: certificate, certificate, privateKey }
}

test('an API that speaks at most TLS 1.1 is refused, with a sentence that names sslProtocol', async (t) => {
  allowOldTls(t)
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
  const api = await startScriptedApi(t, undefined, old)
  await assertRefused(await callsTo(t, api), api, 'tls_alert_received', /PROTOCOL_VERSION\)\. .*sslProtocol/)
})

test('with sslProtocol TLSv1.3 an API with at most TLS 1.2 is refused, and without it accepted', async (t) => {
  const api = await startScriptedApi(t, undefined, { maxVersion: 'TLSv1.2' })
  const strict = await callsTo(t, api, { ssl: { sslProtocol: 'TLSv1.3' } })
  await assertRefused(strict, api, 'tls_alert_received', /PROTOCOL_VERSION\)\. .*sslProtocol/)
  await assertCalled(await callsTo(t, api), api)
})

/** An API that accepts only clients of that CA. */
function startDemanding(t: TestContext, maxVersion: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3'): Promise<ScriptedApi> {
  const ca = theClient.caCertificate
  return startScriptedApi(t, undefined, { requestCert: true, rejectUnauthorized: true, ca, maxVersion })
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  for (const [what, client] of Object.entries({ none: undefined, 'one by another CA': pemBundle(anotherClient) })) {
    const sentence =
      /\. If it requires a client certificate, set keyStoreRef on the ssl element to one that it accepts\.$/

    test(`over ${version} an API that demands a client certificate and gets ${what} refuses: the message names keyStoreRef`, async (t) => {
      const api = await startDemanding(t, version)
      const calls = await callsTo(t, api, client === undefined ? {} : { client })
      const { status, headers } = await calls.call()
      assert.equal(status, 502)
      assert.match(String(headers['proxy-status']), /^tokenwell; error=(tls_alert_received|connection_terminated)$/)
      assert.match(calls.reasons().join('\n'), sentence)
      assert.equal(api.requests.length, 0)
    })

    test(`over ${version} OpenSSL refuses the same, and tells the reason`, async (t) => {
      const api = await startIfThere(t, () => startOpensslServer(t, theClient.caCertificate, version))
      if (!api) return
      const calls = await callsTo(t, api, client === undefined ? {} : { client })
      const { status, headers } = await calls.call()
      assert.equal(status, 502)
      // In TLS 1.3 the alert comes after the client has begun to send. It is lost if the server has closed the connection by then.
      const error = version === 'TLSv1.2' ? /=tls_alert_received$/ : /=(tls_alert_received|connection_terminated)$/
      assert.match(String(headers['proxy-status']), error)
      assert.match(calls.reasons().join('\n'), sentence)
    })
  }

  test(`over ${version} an API that demands a client certificate gets the one of the PEM bundle`, async (t) => {
    const api = await startDemanding(t, version)
    const seen = await assertCalled(await callsTo(t, api, { client: pemBundle(theClient) }), api)
    assert.equal(seen, thumbprintOf(theClient))
  })

  test(`over ${version} OpenSSL accepts the client certificate of the PEM bundle`, async (t) => {
    const api = await startIfThere(t, () => startOpensslServer(t, theClient.caCertificate, version))
    if (!api) return
    const calls = await callsTo(t, api, { client: pemBundle(theClient) })
    const { status, headers } = await calls.call()
    assert.equal(status, 200, calls.reasons().join('\n'))
    assert.equal(headers['content-type'], 'text/html')
  })
}

const inJson = (packed: Buffer, members: object = { passphrase }) =>
  JSON.stringify({ pkcs12: packed.toString('base64'), ...members })

const packed: Readonly<Record<string, () => Promise<string | Buffer>>> = {
  'JSON with its passphrase': async () => inJson(await packPkcs12(theClient, passphrase)),
  'JSON with its passphrase, itself in base64': async () =>
    Buffer.from(inJson(await packPkcs12(theClient, passphrase))).toString('base64'),
  'the bytes of the file': () => packPkcs12(theClient, ''),
  'the bytes of the file in base64, with line ends': async () =>
    (await packPkcs12(theClient, '')).toString('base64').replace(/.{64}/g, '$&\n'),
}

for (const [form, client] of Object.entries(packed))
  test(`an API that demands a client certificate gets the one of PKCS#12 that is stored as ${form}`, async (t) => {
    const secret = await startIfThere(t, client)
    if (secret === undefined) return
    const api = await startDemanding(t)
    const seen = await assertCalled(await callsTo(t, api, { client: secret }), api)
    assert.equal(seen, thumbprintOf(theClient))
  })

/** Nothing was sent, and the caller learns that Tokenwell failed. */
async function assertMisconfigured(calls: CallApiWithOidcProvider, api: ScriptedApi, reason: RegExp): Promise<void> {
  const { status, headers, body } = await calls.call()
  assert.equal(status, 500, JSON.stringify(body))
  assert.equal(headers['proxy-status'], 'tokenwell; error=proxy_internal_error')
  assert.match(calls.reasons().join('\n'), reason)
  assert.equal(api.connections(), 0)
}

for (const [what, members] of Object.entries({
  'with the wrong passphrase': { passphrase: 'another passphrase' },
  'without its passphrase': {},
}))
  test(`PKCS#12 ${what} is a configuration error with a message that says what to store`, async (t) => {
    const packed = await startIfThere(t, () => packPkcs12(theClient, passphrase))
    if (!packed) return
    const api = await startDemanding(t)
    const reason = /^The secret tokenwell\/local\/client contains PKCS#12 that cannot be read\. Store it as JSON/
    await assertMisconfigured(await callsTo(t, api, { client: inJson(packed, members) }), api, reason)
  })

test('a trust store without a certificate is a configuration error', async (t) => {
  const api = await startScriptedApi(t)
  const reason =
    /^The secret tokenwell\/local\/api-ca contains no PEM certificate\. A trust store must contain a CA bundle\.$/
  await assertMisconfigured(await callsTo(t, api, { trust: 'nothing of the kind' }), api, reason)
})

test('a changed client certificate is used by the next call after its secret is read again, and the old one is not used again', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const ca = `${theClient.caCertificate}\n${anotherClient.caCertificate}`
  const api = await startScriptedApi(t, undefined, { requestCert: true, rejectUnauthorized: true, ca })
  const calls = await callsTo(t, api, { client: pemBundle(theClient) })
  assert.equal(await assertCalled(calls, api), thumbprintOf(theClient))

  await writeSecret(calls.workspace, 'client', pemBundle(anotherClient))
  t.mock.timers.setTime(Date.now() + readAgainMilliseconds)
  assert.equal(await assertCalled(calls, api), thumbprintOf(anotherClient))
  assert.equal(api.connections(), 2)
  assert.equal(calls.tokenRequests(), 1, 'the token is the same')
})

test('a corrected client certificate is used by the next call, without waiting for five minutes', async (t) => {
  const api = await startDemanding(t)
  const calls = await callsTo(t, api, { client: theClient.privateKey })
  await assertMisconfigured(calls, api, /^The secret tokenwell\/local\/client contains a key without its certificate/)
  await writeSecret(calls.workspace, 'client', pemBundle(theClient))
  await assertCalled(calls, api)
})

test('a call that is under way when certificates change ends normally', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const held = Promise.withResolvers<() => void>()
  const api = await startScriptedApi(t, ({ url }, response) => {
    if (!url.startsWith('/held')) return {}
    held.resolve(() => response.writeHead(200, { 'content-type': 'application/json' }).end('{"held":true}'))
    return undefined
  })
  // Otherwise Node.js tells the client how long it keeps a TCP connection.
  api.server.keepAliveTimeout = 0
  const calls = await callsTo(t, api)
  const underWay: Promise<HttpAnswer> = calls.call({ path: '/connections/conn/api/held' })
  const release = await held.promise
  const more = await createServerCertificate(['localhost'])
  await writeSecret(calls.workspace, 'api-ca', api.certificate.caCertificate + more.caCertificate)
  t.mock.timers.setTime(Date.now() + readAgainMilliseconds)
  await assertCalled(calls, api)
  const [first] = api.requests
  assert.ok(first)
  const closed = once(first.socket, 'close', { signal: AbortSignal.timeout(10_000) })
  release()
  assert.deepEqual((await underWay).body, { held: true })
  await closed
})
