import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { connect, createServer, type DetailedPeerCertificate, type TLSSocket } from 'node:tls'
import {
  createKeyCertificate,
  createServerCertificate,
  type ServerCertificate,
} from '../../../../infra/local/certificate-authority.ts'
import { fileSecrets } from '../../../../lib/adapters/files/file-secrets.ts'
import { readTlsIdentity, type TlsIdentity } from '../../../../lib/adapters/http/tls-identity.ts'
import type { TlsConfiguration } from '../../../../lib/configuration/transport.ts'
import { SecretError } from '../../../../lib/secret/secret-store.ts'
import { KeyStoreError } from '../../../../lib/signing/signing-key.ts'
import { temporaryFolder } from '../../../support/process/temporary-folder.ts'
import { createClientCertificate, packPkcs12 } from '../../../support/servers/client-certificate.ts'
import { startIfThere } from '../../../support/servers/real-server.ts'

const trustStore = 'tokenwell/test/trust'
const clientCertificate = 'tokenwell/test/client'
const minimumVersion = 'TLSv1.2'

const theServer = await createServerCertificate(['localhost'])
const anotherServer = await createServerCertificate(['localhost'])

const ecKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const ecPem = ecKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const ecCertificate = await createKeyCertificate(ecKey, 'theClient')
/** Text in no known form, not even base64. */
const randomText = `${randomBytes(30).toString('base64url')}, ${randomBytes(30).toString('hex').slice(0, 37)}`
const passphrase = randomBytes(18).toString('base64url')
const encryptedPem = ecKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase }).toString()

/** The identity that a TLS configuration gives with these secrets, named by the last part of their names. */
async function readIdentity(
  t: TestContext,
  tls: Omit<TlsConfiguration, 'minimumVersion'>,
  secrets: { readonly trust?: string; readonly client?: string | Buffer } = {},
): Promise<TlsIdentity> {
  const folder = await temporaryFolder(t)
  for (const [name, text] of Object.entries(secrets)) await writeFile(join(folder, name), text)
  return readTlsIdentity({ minimumVersion, ...tls }, fileSecrets(folder, 'test'))
}

/** Opens one TLS connection with an identity, and returns what the server sees of the client. */
async function shakeHands(
  t: TestContext,
  identity: TlsIdentity,
  { certificate, privateKey }: ServerCertificate,
): Promise<DetailedPeerCertificate> {
  const server = createServer({ cert: certificate, key: privateKey, requestCert: true, rejectUnauthorized: false })
  server.on('tlsClientError', () => {})
  server.listen(0, 'localhost')
  await once(server, 'listening')
  t.after(() => server.close())

  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>
  const client = connect({ ...identity, host: 'localhost', port: (server.address() as AddressInfo).port })
  t.after(() => client.destroy())
  await once(client, 'secureConnect')
  const [socket] = await accepted
  return socket.getPeerCertificate(true)
}

const der = (pem: string) => Buffer.from(pem.replace(/-----[A-Z ]+-----/g, ''), 'base64')

test('without secrets there is no identity, and a server with an unknown CA is not trusted', async (t) => {
  const identity = await readIdentity(t, {})
  assert.deepEqual(identity, {})
  await assert.rejects(shakeHands(t, identity, theServer))
})

test('only the CA in the trust store is trusted', async (t) => {
  const identity = await readIdentity(t, { trustStore }, { trust: theServer.caCertificate })
  assert.deepEqual(await shakeHands(t, identity, theServer), {})
  await assert.rejects(shakeHands(t, identity, anotherServer))
})

const bundle = `# the CA\n${theServer.caCertificate}\n# another CA\n${anotherServer.caCertificate}`
for (const [form, text] of Object.entries({
  'with words between them': bundle,
  'with CRLF': bundle.replaceAll('\n', '\r\n'),
  'with escaped line ends': bundle.replaceAll('\n', '\\n'),
  'beside a private key, which is left out': ecPem + bundle,
}))
  test(`every CA of a bundle is trusted: ${form}`, async (t) => {
    const identity = await readIdentity(t, { trustStore }, { trust: text })
    assert.deepEqual(Object.keys(identity), ['ca'])
    assert.ok(!identity.ca?.includes('PRIVATE KEY'))
    await shakeHands(t, identity, theServer)
    await shakeHands(t, identity, anotherServer)
  })

for (const [form, text] of Object.entries({
  'a PEM bundle of key and certificate': ecPem + ecCertificate,
  'a PEM bundle of certificate and key': ecCertificate + ecPem,
  'a PEM bundle with escaped line ends': (ecPem + ecCertificate).replaceAll('\n', '\\n'),
  'JSON with key and certificate': JSON.stringify({ privateKey: ecPem, certificate: ecCertificate }),
  'JSON with an encrypted key, its passphrase and certificate': JSON.stringify({
    privateKey: encryptedPem,
    passphrase,
    certificate: ecCertificate,
  }),
  'JSON with a JWK and the certificate in DER': JSON.stringify({
    privateKey: ecKey.export({ format: 'jwk' }),
    certificate: der(ecCertificate).toString('base64'),
  }),
}))
  test(`a server that requests a client certificate gets the one in ${form}`, async (t) => {
    const secrets = { trust: theServer.caCertificate, client: text }
    const identity = await readIdentity(t, { trustStore, clientCertificate }, secrets)
    const seen = await shakeHands(t, identity, theServer)
    assert.deepEqual(seen.raw, der(ecCertificate))
  })

test('an RSA key authenticates a TLS client as well as an EC key', async (t) => {
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const certificate = await createKeyCertificate(key, 'theClient')
  const client = key.export({ type: 'pkcs1', format: 'pem' }).toString() + certificate
  const secrets = { trust: theServer.caCertificate, client }
  const seen = await shakeHands(t, await readIdentity(t, { trustStore, clientCertificate }, secrets), theServer)
  assert.deepEqual(seen.raw, der(certificate))
})

for (const [form, text] of Object.entries({
  'a PEM bundle': anotherServer.privateKey + anotherServer.certificate + anotherServer.caCertificate,
  JSON: JSON.stringify({
    privateKey: anotherServer.privateKey,
    certificate: anotherServer.certificate + anotherServer.caCertificate,
  }),
  'a PEM bundle in base64': Buffer.from(
    anotherServer.privateKey + anotherServer.certificate + anotherServer.caCertificate,
  ).toString('base64'),
  'JSON, itself in base64': JSON.stringify({
    privateKey: anotherServer.privateKey,
    certificate: Buffer.from(anotherServer.certificate + anotherServer.caCertificate).toString('base64'),
  }),
}))
  test(`the chain of a client certificate in ${form} is sent too`, async (t) => {
    const secrets = { trust: theServer.caCertificate, client: text }
    const identity = await readIdentity(t, { trustStore, clientCertificate }, secrets)
    const seen = await shakeHands(t, identity, theServer)
    assert.deepEqual(seen.raw, der(anotherServer.certificate))
    assert.deepEqual(seen.issuerCertificate?.raw, der(anotherServer.caCertificate))
  })

test('with only a client certificate, the CA list of Node.js is still used', async (t) => {
  const identity = await readIdentity(t, { clientCertificate }, { client: ecPem + ecCertificate })
  assert.deepEqual(Object.keys(identity).sort(), ['cert', 'key'])
  assert.ok(identity.cert && new X509Certificate(identity.cert).checkPrivateKey(ecKey))
})

function refused(location: string, complaint: RegExp, secret: string) {
  return (error: unknown) => {
    assert.ok(error instanceof KeyStoreError)
    assert.equal(error.location, location)
    assert.ok(error.message.startsWith(`The secret ${location} `), error.message)
    assert.match(error.message, complaint)
    for (const line of secret.split('\n').filter((each) => each.length >= 16 && !each.startsWith('-----')))
      assert.ok(!`${error.stack}`.includes(line.slice(0, 16)), 'the error shows a piece of the secret')
    return true
  }
}

for (const [content, text] of Object.entries({
  nothing: '',
  'random text': randomText,
  'a private key': ecPem,
  'JSON without a certificate': JSON.stringify({ ca: 'none' }),
  'a certificate that is cut off': theServer.caCertificate.slice(0, 300),
}))
  test(`a trust store that contains ${content} is rejected, and the error names it`, async (t) => {
    const complaint = /contains no PEM certificate\. A trust store must contain a CA bundle\.$/
    await assert.rejects(readIdentity(t, { trustStore }, { trust: text }), refused(trustStore, complaint, text))
  })

for (const [content, text] of Object.entries({
  'a certificate that lacks lines': theServer.caCertificate.split('\n').toSpliced(3, 2).join('\n'),
  'a good certificate and one of nothing': `${theServer.caCertificate}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
}))
  test(`a trust store that contains ${content} is rejected, because node:tls would ignore it silently`, async (t) => {
    const complaint = /holds a certificate that cannot be read\. Check that it was stored completely\.$/
    await assert.rejects(readIdentity(t, { trustStore }, { trust: text }), refused(trustStore, complaint, text))
  })

const otherKeyPem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const refusedClients: Readonly<Record<string, readonly [text: string, complaint: RegExp]>> = {
  'a key without a certificate': [ecPem, /contains a key without its certificate\. A TLS client needs both\.$/],
  'a JWK without a certificate': [
    JSON.stringify(ecKey.export({ format: 'jwk' })),
    /contains a key without its certificate\. /,
  ],
  'a certificate without its key': [
    ecCertificate,
    /holds PEM with the label CERTIFICATE\. Store a private key in it\.$/,
  ],
  'the certificate of another key': [
    otherKeyPem + ecCertificate,
    /holds a certificate that does not belong to its private key\. /,
  ],
  'an encrypted key without its passphrase': [
    encryptedPem + ecCertificate,
    /holds an encrypted PEM private key without /,
  ],
  'a certificate that lacks lines': [
    ecPem + ecCertificate.split('\n').toSpliced(3, 2).join('\n'),
    /holds a certificate that cannot be read\. Check that it was stored completely\.$/,
  ],
  'random text': [randomText, /holds 79 characters that are neither PEM nor JSON /],
  nothing: ['', /is empty\. Store a private key in it\.$/],
}

for (const [content, [text, complaint]] of Object.entries(refusedClients))
  test(`the secret of a client certificate that contains ${content} is rejected, and the error says what was found`, async (t) => {
    await assert.rejects(
      readIdentity(t, { clientCertificate }, { client: text }),
      refused(clientCertificate, complaint, text),
    )
  })

test('the error for a missing secret names it', async (t) => {
  for (const [tls, name] of [
    [{ trustStore }, trustStore],
    [{ clientCertificate }, clientCertificate],
  ] as const)
    await assert.rejects(readIdentity(t, tls), (error) => {
      assert.ok(error instanceof SecretError)
      assert.ok(error.message.includes(name), error.message)
      return true
    })
})

/* PKCS#12 as the openssl command writes it. */

const theClient = await createClientCertificate()
const clientDer = der(theClient.certificate)

async function theSecret(t: TestContext, ...options: Parameters<typeof packPkcs12>): Promise<Buffer | undefined> {
  return startIfThere(t, () => packPkcs12(...options))
}

for (const [form, shape, words] of [
  ['bytes, without a passphrase', (packed: Buffer) => packed, ''],
  ['base64, without a passphrase', (packed: Buffer) => packed.toString('base64'), ''],
  ['base64 with CRLF', (packed: Buffer) => packed.toString('base64').replace(/.{76}/g, '$&\r\n'), ''],
  ['JSON', (packed: Buffer) => JSON.stringify({ pkcs12: packed.toString('base64'), passphrase }), passphrase],
  [
    'JSON, the passphrase with a line break at its end',
    (packed: Buffer) => JSON.stringify({ pkcs12: packed.toString('base64'), passphrase: `${passphrase}\n` }),
    passphrase,
  ],
  [
    'JSON, itself in base64',
    (packed: Buffer) =>
      Buffer.from(JSON.stringify({ pkcs12: packed.toString('base64'), passphrase })).toString('base64'),
    passphrase,
  ],
  ['JSON without a passphrase', (packed: Buffer) => JSON.stringify({ pkcs12: packed.toString('base64') }), ''],
] as const)
  test(`a server that requests a client certificate gets the one from PKCS#12, stored as ${form}`, async (t) => {
    const packed = await theSecret(t, theClient, words)
    if (!packed) return
    const secrets = { trust: theServer.caCertificate, client: shape(packed) }
    const identity = await readIdentity(t, { trustStore, clientCertificate }, secrets)
    const seen = await shakeHands(t, identity, theServer)
    assert.deepEqual(seen.raw, clientDer)
    assert.deepEqual(seen.issuerCertificate?.raw, der(theClient.caCertificate), 'the chain behind it, too')
  })

test('CAs in PKCS#12 are trusted in addition to those of the trust store', async (t) => {
  const packed = await theSecret(t, { ...theClient, caCertificate: theServer.caCertificate }, '')
  if (!packed) return
  const secrets = { trust: anotherServer.caCertificate, client: packed }
  const identity = await readIdentity(t, { trustStore, clientCertificate }, secrets)
  await shakeHands(t, identity, theServer)
  await shakeHands(t, identity, anotherServer)
})

const unreadable =
  /contains PKCS#12 that cannot be read\. Store it as JSON with the members pkcs12 and passphrase, and export the file with AES\.$/
for (const [what, shape, complaint] of [
  ['whose passphrase is missing', (packed: Buffer) => packed, unreadable],
  [
    'whose passphrase is another',
    (packed: Buffer) => JSON.stringify({ pkcs12: packed.toString('base64'), passphrase: 'another one' }),
    unreadable,
  ],
  [
    'whose passphrase is no text',
    (packed: Buffer) => JSON.stringify({ pkcs12: packed.toString('base64'), passphrase: 1 }),
    unreadable,
  ],
  [
    'that is cut off',
    (packed: Buffer) => JSON.stringify({ pkcs12: packed.subarray(0, 300).toString('base64'), passphrase }),
    unreadable,
  ],
  [
    'that is none',
    () => JSON.stringify({ pkcs12: ecPem, passphrase }),
    /has a member pkcs12 that is not PKCS#12\. It must be the bytes of the file in base64\.$/,
  ],
] as const)
  test(`PKCS#12 ${what} is rejected, and the error names the secret`, async (t) => {
    const packed = await theSecret(t, theClient, passphrase)
    if (!packed) return
    const client = shape(packed)
    await assert.rejects(
      readIdentity(t, { clientCertificate }, { client }),
      refused(clientCertificate, complaint, client.toString()),
    )
  })

test('PKCS#12 with certificates and no key is rejected', async (t) => {
  const packed = await theSecret(t, theClient, '', ['-nokeys'])
  if (!packed) return
  await assert.rejects(
    readIdentity(t, { clientCertificate }, { client: packed }),
    refused(clientCertificate, unreadable, ''),
  )
})

test('PKCS#12 with an old cipher is rejected with the advice to export it with AES', async (t) => {
  const old = ['-keypbe', 'PBE-SHA1-RC2-40', '-certpbe', 'PBE-SHA1-RC2-40', '-legacy']
  const packed = await theSecret(t, theClient, passphrase, old)
  if (!packed) return
  const client = JSON.stringify({ pkcs12: packed.toString('base64'), passphrase })
  await assert.rejects(
    readIdentity(t, { clientCertificate }, { client }),
    refused(clientCertificate, unreadable, client),
  )
})
