import 'reflect-metadata'
import assert from 'node:assert/strict'
import { createPrivateKey, webcrypto } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { createServer } from 'node:tls'
import * as x509 from '@peculiar/x509'
import { listen } from '../../../../infra/local/listen.ts'
import { readConnectionFailure } from '../../../../lib/adapters/http/connection-failure.ts'
import { createConnector } from '../../../../lib/adapters/http/connector.ts'
import type { Transport } from '../../../../lib/configuration/transport.ts'
import { Secret } from '../../../../lib/secret/secret.ts'
import { singleVersionSecrets } from '../../../support/virtual/secret-stores.ts'

const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const trustStore = 'tokenwell/test/trust'

interface Issued {
  readonly certificate: x509.X509Certificate
  readonly keys: webcrypto.CryptoKeyPair
}

async function issue(name: string, issuer?: Issued, isServer = false): Promise<Issued> {
  const keys = await webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.create({
    notBefore: new Date(Date.now() - 86_400_000),
    notAfter: new Date(Date.now() + 86_400_000),
    subject: `CN=${name}, O=Example`,
    issuer: issuer?.certificate.subject ?? `CN=${name}, O=Example`,
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    signingAlgorithm: ecdsa,
    extensions: [
      new x509.BasicConstraintsExtension(!isServer, undefined, true),
      ...(isServer ? [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }])] : []),
    ],
  })
  return { certificate, keys }
}

const root = await issue('The Root')
const intermediate = await issue('The Intermediate', root)
const leaf = await issue('localhost', intermediate, true)
const selfSigned = await issue('localhost', undefined, true)
const pem = (...all: readonly Issued[]) => all.map(({ certificate }) => certificate.toString('pem')).join('\n')

/** The result of connecting to a server that sends these certificates. */
async function connectTo(
  t: TestContext,
  sent: readonly Issued[],
  trusted: readonly Issued[] | undefined,
  more: Partial<Transport['tls']> = {},
): Promise<string> {
  const [own] = sent
  assert.ok(own)
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', own.keys.privateKey))
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }).export({ type: 'pkcs8', format: 'pem' })
  const server = createServer({ key, cert: pem(...sent) }, (socket) => socket.end())
  server.on('tlsClientError', () => {})
  const port = await listen(server, 0, 'localhost')
  t.after(() => server.close())
  const secrets = singleVersionSecrets(async () => new Secret(pem(...(trusted ?? []))))
  const transport: Transport = {
    tls: { minimumVersion: 'TLSv1.2', ...(trusted && { trustStore }), ...more },
    connectTimeoutMilliseconds: 20_000,
    receiveTimeoutMilliseconds: 20_000,
  }
  const connector = await createConnector(transport, secrets)
  return await new Promise((resolve) => {
    const options = { hostname: 'localhost', host: 'localhost', protocol: 'https:', port: String(port) }
    connector(options, (error, socket) => {
      socket?.destroy()
      resolve(error ? readConnectionFailure(error, transport, 'The far end').message : 'connected')
    })
  })
}

const allowPartialTrustChain = true

for (const [what, sent, trusted, ending] of [
  [
    'a server that sends its own certificate alone, and the root is trusted',
    [leaf],
    [root],
    / The certificate of CN=The Intermediate, O=Example, which signed CN=localhost, O=Example, is missing\. Configure the server to send it, or add it to the trust store\.$/,
  ],
  [
    'a server that sends its own certificate alone, and no trust store',
    [leaf],
    undefined,
    / Set trustStoreRef on the ssl element to a keyStore with its CA bundle\. The certificate of CN=The Intermediate, O=Example, which signed CN=localhost, O=Example, is missing\./,
  ],
  [
    'an intermediate alone is trusted',
    [leaf, intermediate],
    [intermediate],
    / The certificate of CN=The Root, O=Example, which signed CN=The Intermediate, O=Example, is missing\. .* or set allowPartialTrustChain on the ssl element\.$/,
  ],
  [
    "the server's certificate alone is trusted",
    [leaf],
    [leaf],
    / The certificate of CN=The Intermediate, O=Example, which signed CN=localhost, O=Example, is missing\. .* or set allowPartialTrustChain on the ssl element\.$/,
  ],
  [
    'a certificate that signed itself, and another CA is trusted',
    [selfSigned],
    [root],
    / The certificate CN=localhost, O=Example is self-signed and not in the trust store\.$/,
  ],
  [
    'a chain to a root that is not trusted',
    [leaf, intermediate, root],
    [selfSigned],
    / The certificate CN=The Root, O=Example is self-signed and not in the trust store\.$/,
  ],
] as const)
  test(`the message names the missing certificate: ${what}`, async (t) => {
    assert.match(await connectTo(t, sent, trusted), ending)
  })

test('a chain is complete if the trust store has the intermediate that the server does not send', async (t) => {
  assert.equal(await connectTo(t, [leaf], [root, intermediate]), 'connected')
})

for (const [what, sent, trusted] of [
  ['an intermediate', [leaf, intermediate], [intermediate]],
  ['an intermediate that the server does not send', [leaf], [intermediate]],
  ['the certificate of the server', [leaf], [leaf]],
] as const)
  test(`with allowPartialTrustChain a trust store may hold ${what} alone, and without it that is not trusted`, async (t) => {
    assert.equal(await connectTo(t, sent, trusted, { allowPartialTrustChain }), 'connected')
    assert.notEqual(await connectTo(t, sent, trusted), 'connected')
  })

test('with allowPartialTrustChain nothing else is trusted', async (t) => {
  assert.notEqual(await connectTo(t, [selfSigned], [intermediate], { allowPartialTrustChain }), 'connected')
  assert.notEqual(await connectTo(t, [leaf, intermediate], [selfSigned], { allowPartialTrustChain }), 'connected')
})

test("names from a server's certificate are shown without control characters and are cut off", async (t) => {
  const evil = await issue(`\u202e${'x'.repeat(300)}`)
  const message = await connectTo(t, [await issue('localhost', evil, true)], [root])
  assert.match(message, /^[\x20-\x7e]+$/)
  assert.ok(message.length < 700, `${message.length}`)
})
