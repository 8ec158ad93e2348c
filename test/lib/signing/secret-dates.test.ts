import assert from 'node:assert/strict'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { createKeyCertificate } from '../../../infra/local/certificate-authority.ts'
import type { JwtConfiguration } from '../../../lib/configuration/assertion-configuration.ts'
import type { ServedConnection, ServedGrant } from '../../../lib/configuration/connection.ts'
import { describeFinding } from '../../../lib/configuration/finding.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { SecretError } from '../../../lib/secret/secret-store.ts'
import {
  createSecretDates,
  dateFindings,
  dateWarnings,
  dayMilliseconds,
  dayOf,
  type TlsCertificates,
} from '../../../lib/signing/secret-dates.ts'
import { plainAssertion, plainConnection } from '../../support/elements/plain-connection.ts'
import { singleVersionSecrets } from '../../support/virtual/secret-stores.ts'

const privateKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const short = await createKeyCertificate(privateKey, 'short', 100)
const long = await createKeyCertificate(privateKey, 'long', 200)
const endOf = (pem: string) => +new X509Certificate(pem).validToDate
const anyTime = Date.parse('2027-01-31T12:00:00Z')

const none: TlsCertificates = { trusted: async () => [], presented: async () => [] }
const trusting = (...pems: string[]): TlsCertificates => ({
  ...none,
  trusted: async () => pems.map((pem) => new X509Certificate(pem)),
})

const byPassword: ServedConnection = {
  ...plainConnection,
  clientAuthentication: { method: 'client_secret_basic', passwordSecret: 'tokenwell/test/the-password' },
}
const byKey = (changes: Partial<JwtConfiguration> = {}): ServedConnection => ({
  ...plainConnection,
  clientAuthentication: { method: 'private_key_jwt', sendClientId: false, assertion: plainAssertion(changes) },
})
const withTrust: ServedConnection = {
  ...byPassword,
  authorizationServer: {
    ...plainConnection.authorizationServer,
    tls: { minimumVersion: 'TLSv1.2', trustStore: 'tokenwell/test/trust' },
  },
}

const datesOf = (text: string, certificates = none) =>
  createSecretDates({ secrets: singleVersionSecrets(async () => new Secret(text)), certificates })

async function lookAt(connection: ServedConnection, text: string, now: number, certificates = none) {
  const dated = await datesOf(text, certificates).of(connection, now)
  const last = dated.at(-1)
  return [last?.expiresAt, ...(last?.notices ?? []).map(({ kind, isMinor }) => (isMinor ? `${kind}, minor` : kind))]
}

test('an end is noticed when less than 30 days are left, and has passed at its very moment', async () => {
  const text = JSON.stringify({ password: 'any', expiresAt: new Date(anyTime).toISOString() })
  const at = (days: number, milliseconds = 0) =>
    lookAt(byPassword, text, anyTime - days * dayMilliseconds + milliseconds)
  assert.deepEqual(await at(400), [anyTime])
  assert.deepEqual(await at(30), [anyTime])
  assert.deepEqual(await at(30, 1), [anyTime, 'expires_soon'])
  assert.deepEqual(await at(0, -1), [anyTime, 'expires_soon'])
  assert.deepEqual(await at(0), [anyTime, 'expired'])
})

test('a secret without a date has no end, and a date that cannot be read is noticed', async () => {
  assert.deepEqual(await lookAt(byPassword, 'any', anyTime), [undefined])
  assert.deepEqual(await lookAt(byPassword, '{ "password": "any", "expiresAt": "soon" }', anyTime), [
    undefined,
    'unreadable',
  ])
})

test('the first end counts, of the secret itself and of what a server sees of its certificates', async () => {
  const jwk = privateKey.export({ format: 'jwk' })
  const text = JSON.stringify({
    privateKey: pem,
    certificate: long + short,
    expiresAt: new Date(anyTime).toISOString(),
  })
  const before = Math.min(endOf(short), anyTime) - 40 * dayMilliseconds
  assert.deepEqual(await lookAt(byKey(), text, before), [Math.min(endOf(long), anyTime)])
  assert.deepEqual(await lookAt(byKey(), pem + long + short, before), [endOf(long)], 'the chain is not sent')
  const chain = byKey({ hasCertificateChain: true })
  assert.deepEqual(await lookAt(chain, pem + long + short, before), [endOf(short)])

  const x5c = (pem: string) => [pem.replace(/-----[A-Z ]+-----|\s/g, '')]
  const set = {
    keys: [
      { ...jwk, kid: 'a', x5c: x5c(long) },
      { ...jwk, kid: 'b', x5c: x5c(short) },
    ],
  }
  const alias = (name: string) => byKey({ key: { jwtBuilder: 'theBuilder', location: 'any', alias: name } })
  assert.deepEqual(await lookAt(alias('a'), JSON.stringify(set), before), [endOf(long)])
  assert.deepEqual(await lookAt(alias('b'), JSON.stringify(set), before), [endOf(short)])
})

test('a certificate that no server sees has no end once it has passed', async () => {
  const seen = byKey({ certificateThumbprint: 'x5t' })
  const [before, after] = [endOf(short) - 1, endOf(short) + 1]
  assert.deepEqual(await lookAt(byKey(), pem + short, before), [endOf(short), 'expires_soon, minor'])
  assert.deepEqual(await lookAt(byKey(), pem + short, after), [undefined, 'expired, minor'])
  assert.deepEqual(await lookAt(seen, pem + short, after), [endOf(short), 'expired'])
  assert.deepEqual(await lookAt(seen, pem + short, Date.now() - 2 * dayMilliseconds), [endOf(short), 'not_valid_yet'])
})

test('a bundle of CAs ends with each CA that is still valid, and has expired with the last one', async () => {
  const bundle = trusting(short, long)
  const at = (now: number) => lookAt(withTrust, 'any', now, bundle)
  assert.deepEqual(await at(endOf(short) - 40 * dayMilliseconds), [endOf(short)])
  assert.deepEqual(await at(endOf(short) - 1), [endOf(short), 'expires_soon, minor'])
  assert.deepEqual(await at(endOf(short) + 1), [endOf(long), 'expired, minor'])
  assert.deepEqual(await at(endOf(long) + 1), [endOf(short), 'expired', 'expired'])
})

test('every secret of a connection is looked at, once by each attribute that names it, but for keys that Tokenwell makes', async () => {
  const proxy = { id: 'theProxy', host: 'proxy.example', port: 1, credentials: { user: 'u', passwordSecret: 'proxy' } }
  const tls = { minimumVersion: 'TLSv1.2' as const, trustStore: 'trust', clientCertificate: 'client' }
  const key = { jwtBuilder: 'theShared', location: 'shared' }
  const grant = plainAssertion({ key: { jwtBuilder: 'theGrant', location: 'grant' } })
  const connection: ServedConnection = {
    ...byKey({ algorithm: 'HS256', key }),
    grant: { type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: grant, assertionParameters: {} },
    authorizationServer: {
      ...{ ...plainConnection.authorizationServer, tls, proxy },
      headers: { 'x-plain': 'a', 'x-key': { secret: 'header' } },
    },
    api: {
      ...{ origin: 'https://api.example', basePath: '' },
      ...{ tls, connectTimeoutMilliseconds: 1, receiveTimeoutMilliseconds: 1 },
    },
  }
  const places = (await datesOf(JSON.stringify({ privateKey: pem })).of(connection, anyTime)).map(
    ({ secret, element, attribute }) => `${secret}: ${element.kind}/${element.id} ${attribute}`,
  )
  assert.deepEqual(places, [
    'shared: jwtBuilder/theShared sharedKey',
    'grant: jwtBuilder/theGrant keyStoreRef',
    'header: authorizationServer/theServer headers',
    'client: authorizationServer/theServer sslCertsRef',
    'trust: authorizationServer/theServer sslCertsRef',
    'proxy: proxyConfig/theProxy basicAuthRef',
    'client: endpointConnection/conn sslCertsRef',
    'trust: endpointConnection/conn sslCertsRef',
  ])
  const own: ServedConnection = {
    ...connection,
    grant: { ...connection.grant, assertion: plainAssertion({ algorithm: 'HS256', key }) } as ServedGrant,
  }
  assert.equal((await datesOf('any').of(own, anyTime)).filter(({ secret }) => secret === 'shared').length, 1)
  const generated = { modulusLength: 2048, rotationSeconds: 1, publishAheadSeconds: 1 }
  assert.deepEqual(await datesOf(pem).of(byKey({ key: { ...key, generated } }), anyTime), [])
})

test('a bundle of CAs that many connections share is parsed once, and again when it has changed', async () => {
  let [stored, parsed] = ['first', 0]
  const certificates: TlsCertificates = {
    ...none,
    async trusted() {
      parsed++
      if (stored === 'broken') throw new SecretError('secret_denied', 'no right')
      return [new X509Certificate(stored === 'first' ? short : long)]
    },
  }
  const dates = createSecretDates({ secrets: singleVersionSecrets(async () => new Secret(stored)), certificates })
  const endsOf = async () =>
    (await Promise.all(Array.from({ length: 10 }, () => dates.of(withTrust, anyTime)))).map(
      (dated) => dated.at(-1)?.expiresAt,
    )
  assert.deepEqual(new Set(await endsOf()), new Set([endOf(short)]))
  assert.equal(parsed, 1)
  stored = 'second'
  assert.deepEqual(new Set([...(await endsOf()), ...(await endsOf())]), new Set([endOf(long)]))
  assert.equal(parsed, 2)
  stored = 'broken'
  await endsOf()
  await endsOf()
  assert.equal(parsed, 4, 'a failure is not kept')
})

test('a secret that cannot be used is passed over, and an error of the code is not', async () => {
  const failing = (error: Error) =>
    createSecretDates({ secrets: singleVersionSecrets(() => Promise.reject(error)), certificates: none })
  assert.deepEqual(await failing(new SecretError('secret_denied', 'no right')).of(byPassword, anyTime), [])
  await assert.rejects(failing(new TypeError('a programming error')).of(byPassword, anyTime), TypeError)
  assert.deepEqual(await datesOf('no key').of(byKey(), anyTime), [])
})

test('operators read the name of the secret, and callers read warnings without it', async () => {
  const expiresAt = dayOf(anyTime)
  const dated = await datesOf(JSON.stringify({ password: 'any', expiresAt })).of(byPassword, anyTime)
  const lines = (findings: ReturnType<typeof dateFindings>) =>
    findings.map((finding) => `${finding.severity} ${describeFinding(finding)}`)
  const sentence = `expired on ${expiresAt}, as its expiresAt says. Get a new one from the server that accepts it, and store it with its date.`
  assert.deepEqual(lines(dateFindings(dated)), [
    `mistake authorizationServer/theServer basicAuthRef: The secret tokenwell/test/the-password ${sentence}`,
  ])
  assert.deepEqual(lines(dateWarnings(dated)), [
    `warning authorizationServer/theServer basicAuthRef: The secret ${sentence}`,
  ])
})
