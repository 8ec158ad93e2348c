import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { createKeyCertificate, createServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { inspectSecrets } from '../../../lib/application/inspect-secrets.ts'
import { describeFinding } from '../../../lib/configuration/finding.ts'
import { listConnections } from '../../../lib/configuration/inspect-elements.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { SecretError } from '../../../lib/secret/secret-store.ts'
import { assertLines, elementStoreOf, exampleIssuer, localDeployment } from '../../support/elements/element-store.ts'
import { type ElementChanges, exampleElements, type RawElements } from '../../support/elements/elements.ts'
import { localTokenElements } from '../../support/elements/local-token-elements.ts'
import { packPkcs12 } from '../../support/servers/client-certificate.ts'
import { startIfThere } from '../../support/servers/real-server.ts'
import { testKeyService } from '../../support/virtual/key-services.ts'
import { singleVersionSecrets } from '../../support/virtual/secret-stores.ts'

const day = 86_400_000
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const pem = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }).toString()
const certificate = await createKeyCertificate(rsa, 'theClient')
const { caCertificate } = await createServerCertificate(['localhost'])

const ownKey = { jwkEnabled: undefined, keyStoreRef: 'theKeys' }
const byKey = (builder: Record<string, unknown> = {}, more: ElementChanges = {}): RawElements => {
  const elements = exampleElements(exampleIssuer, { ...more, builder: { ...ownKey, ...builder } })
  return { ...elements, keyStore: { ...elements['keyStore'], theKeys: { location: 'tokenwell/local/the-key' } } }
}
const byPassword: RawElements = {
  ...exampleElements(exampleIssuer, {
    server: { basicAuthRef: 'theUser' },
    oAuth: { jwtAuthenticationTokenRef: undefined },
  }),
  authData: { theUser: { user: 'theClient', passwordSecret: 'tokenwell/local/the-password' } },
}
/** An `authToken` with this request, whose user has the secret `the-password`. */
const byAuthToken = (tokenRequest: object): RawElements => ({
  ...byPassword,
  ...exampleElements(exampleIssuer, {
    endpoint: { authenticationConfigRef: 'theToken' },
    server: { basicAuthRef: 'theUser' },
  }),
  oAuthConfig: {},
  authToken: { theToken: { authServerRef: 'theServer', tokenRequest, tokenResponse: { tokenPath: 'token' } } },
})
const bodySecret = byAuthToken({ requestBody: { a: [{ secret: 'tokenwell/local/of-body' }] } })
const inHeaders = byAuthToken({ userHeader: 'X-User', passwordHeader: 'X-Password' })
const byBasic: RawElements = {
  endpointConnection: { conn: { authenticationConfigRef: 'theUser', host: 'https://api.example.com' } },
  authData: { theUser: { user: 'alice', passwordSecret: 'tokenwell/local/the-password' } },
}
const theKeyService = testKeyService({ 'alias/tokenwell/local/one': rsa })
const inKms = (keyStore: object = {}, builder: Record<string, unknown> = {}): RawElements => {
  const elements = byKey(builder)
  const theKeys = { location: 'kms:alias/tokenwell/local/one', ...keyStore }
  return { ...elements, keyStore: { ...elements['keyStore'], theKeys } }
}
const trust = { 'authorization-server-ca': caCertificate }

/** The findings so many days from now, with these secrets by the last part of their names. */
async function inspect(
  t: TestContext,
  elements: RawElements,
  secrets: Readonly<Record<string, string>>,
  days = 0,
): Promise<string[]> {
  const store = singleVersionSecrets(async (name) => {
    const secret = { ...trust, ...secrets }[name.replace('tokenwell/local/', '')]
    if (secret === undefined) throw new SecretError('secret_missing', `The secret ${name} does not exist.`)
    return new Secret(secret)
  })
  const listed = await listConnections(await elementStoreOf(t, elements), localDeployment)
  const findings = await inspectSecrets(listed, store, theKeyService, Date.now() + days * day)
  return findings.map((each) => `${each.severity} ${describeFinding(each)}`)
}

test('valid secrets cause no finding', async (t) => {
  assert.deepEqual(await inspect(t, byKey(), { 'the-key': pem(rsa) }), [])
  assert.deepEqual(await inspect(t, byKey({ certificateThumbprint: 'x5t' }), { 'the-key': pem(rsa) + certificate }), [])
  assert.deepEqual(await inspect(t, byPassword, { 'the-password': 'correct horse\n' }), [])
  assert.deepEqual(await inspect(t, inHeaders, { 'the-password': 'correct horse\n' }), [])
  assert.deepEqual(await inspect(t, bodySecret, { 'the-password': 'größer', 'of-body': 'größer' }), [])
  assert.deepEqual(await inspect(t, exampleElements(exampleIssuer), {}), [], 'keys that Tokenwell makes are left out')
})

const wrong: readonly (readonly [string, RawElements, Readonly<Record<string, string>>, RegExp, number?])[] = [
  [
    'a key of the wrong type',
    byKey(),
    { 'the-key': pem(p256) },
    /^mistake jwtBuilder\/theBuilder keyStoreRef: The secret tokenwell\/local\/the-key holds an EC key on P-256, but RS256 needs an RSA key\.$/,
  ],
  [
    'no secret',
    byKey(),
    {},
    /^mistake jwtBuilder\/theBuilder keyStoreRef: The secret tokenwell\/local\/the-key does not exist\.$/,
  ],
  [
    'a header that cannot be sent',
    exampleElements(exampleIssuer, { server: { headers: { 'X-Key': { secret: 'tokenwell/local/the-header' } } } }),
    { 'the-header': 'two\nlines' },
    /^mistake authorizationServer\/theServer headers: The secret tokenwell\/local\/the-header holds a text that a header cannot/,
  ],
  [
    'no secret for a header',
    exampleElements(exampleIssuer, { server: { headers: { 'X-Key': { secret: 'tokenwell/local/the-header' } } } }),
    {},
    /^mistake authorizationServer\/theServer headers: The secret tokenwell\/local\/the-header does not exist\.$/,
  ],
  [
    'no secret for a body',
    bodySecret,
    { 'the-password': 'correct horse' },
    /^mistake authToken\/theToken tokenRequest: The secret tokenwell\/local\/of-body does not exist\.$/,
  ],
  [
    'a key in a body',
    bodySecret,
    { 'the-password': 'correct horse', 'of-body': pem(rsa) },
    /^mistake authToken\/theToken tokenRequest: The secret tokenwell\/local\/of-body holds PEM, but the element needs a password\./,
  ],
  [
    'an empty secret for a body',
    bodySecret,
    { 'the-password': 'correct horse', 'of-body': '' },
    /^mistake authToken\/theToken tokenRequest: The secret tokenwell\/local\/of-body is empty\./,
  ],
  [
    'a password that a header of its own cannot have',
    inHeaders,
    { 'the-password': 'größer' },
    /^mistake authorizationServer\/theServer basicAuthRef: The secret tokenwell\/local\/the-password holds a text that a header cannot have\./,
  ],
  ['an empty secret', byKey(), { 'the-key': '\n' }, /^mistake jwtBuilder\/theBuilder keyStoreRef: .* is empty\. /],
  [
    'an alias that no key has',
    byKey({ keyAlias: 'other' }),
    { 'the-key': pem(rsa) },
    /^mistake jwtBuilder\/theBuilder keyStoreRef: .* holds no key with the kid "other"\. /,
  ],
  [
    'a revoked key',
    byKey({ revokedKeys: ['a'] }),
    { 'the-key': JSON.stringify({ privateKey: pem(rsa), kid: 'a' }) },
    /^mistake jwtBuilder\/theBuilder keyStoreRef: .* the operator has revoked a\. /,
  ],
  [
    'a shared key that is too short',
    byKey({ signatureAlgorithm: 'HS256', keyStoreRef: undefined, sharedKey: 'tokenwell/local/shared' }),
    { shared: 'too short' },
    /^mistake jwtBuilder\/theBuilder sharedKey: .* holds a key of 9 bytes, but HS256 needs at least 32 bytes\.$/,
  ],
  [
    'no certificate behind x5t',
    byKey({ certificateThumbprint: 'x5t' }),
    { 'the-key': pem(rsa) },
    /^mistake jwtBuilder\/theBuilder keyStoreRef: .* holds no certificate, but certificateThumbprint is x5t/,
  ],
  [
    'an expired certificate behind x5t',
    byKey({ certificateThumbprint: 'x5t' }),
    { 'the-key': pem(rsa) + certificate },
    /^mistake jwtBuilder\/theBuilder keyStoreRef: .* holds the certificate of CN=theClient, which expired on \d{4}-\d\d-\d\d\. /,
    3651,
  ],
  [
    'an expired certificate in x5c',
    byKey({ x5c: true }),
    { 'the-key': pem(rsa) + certificate },
    /^mistake jwtBuilder\/theBuilder keyStoreRef: .* which expired on /,
    3651,
  ],
  [
    'x5c without a certificate',
    byKey({ x5c: true }),
    { 'the-key': pem(rsa) },
    /^mistake jwtBuilder\/theBuilder keyStoreRef: .* holds no certificate, but x5c is true\./,
  ],
  [
    'an expired certificate that nothing asks for',
    byKey(),
    { 'the-key': pem(rsa) + certificate },
    /^warning jwtBuilder\/theBuilder keyStoreRef: .* which expired on /,
    3651,
  ],
  [
    'a certificate that is about to expire',
    byKey({ certificateThumbprint: 'x5t#S256' }),
    { 'the-key': pem(rsa) + certificate },
    /^warning jwtBuilder\/theBuilder keyStoreRef: .* which expires on /,
    3649,
  ],
  [
    'a certificate that is not valid yet',
    byKey({ certificateThumbprint: 'x5t' }),
    { 'the-key': pem(rsa) + certificate },
    /^warning jwtBuilder\/theBuilder keyStoreRef: .* is not valid before /,
    -2,
  ],
  [
    'an empty password',
    byPassword,
    { 'the-password': '\n' },
    /^mistake authorizationServer\/theServer basicAuthRef: The secret tokenwell\/local\/the-password is empty\. Store the password in it\.$/,
  ],
  [
    'a key where a password is needed',
    byPassword,
    { 'the-password': pem(rsa) },
    /^mistake authorizationServer\/theServer basicAuthRef: .* holds PEM, but the element needs a password/,
  ],
  [
    'a password for another host',
    byPassword,
    { 'the-password': JSON.stringify({ password: 'x', hosts: ['other.example.com'] }) },
    /^mistake authorizationServer\/theServer basicAuthRef: .* is not allowed for as\.example\.com/,
  ],
  [
    'a trust store without a certificate',
    byKey(),
    { 'the-key': pem(rsa), 'authorization-server-ca': 'nothing' },
    /^mistake authorizationServer\/theServer sslCertsRef: .* contains no PEM certificate\. /,
  ],
]
for (const [what, elements, secrets, pattern, days = 0] of wrong)
  test(`a mistake that a first token request would meet is found before: ${what}`, async (t) => {
    const lines = await inspect(t, elements, secrets, days)
    // The CA of the trust store is valid for a year.
    assertLines(
      lines.filter((line) => !line.includes('CN=Tokenwell local run')),
      [pattern],
    )
    for (const secret of Object.values(secrets).filter(({ length }) => length > 9))
      assert.ok(!lines.join('\n').includes(secret.trim().slice(0, 40)), 'no secret is shown')
  })

test('an expired client certificate is a mistake, and so is a trust store whose CAs have all expired', async (t) => {
  const elements = byKey({}, {})
  elements['ssl'] = { defaultSSLConfig: { trustStoreRef: 'theTrust', keyStoreRef: 'theKeys' } }
  const secrets = { 'the-key': pem(rsa) + certificate }
  const sslLines = async (days: number) =>
    (await inspect(t, elements, secrets, days)).filter((line) => line.includes('sslCertsRef'))
  assert.deepEqual(await sslLines(0), [])
  assertLines(await sslLines(340), [/^warning .*CN=Tokenwell local run, which expires on /])
  assertLines(await sslLines(4000), [
    /^mistake .*CN=theClient, which expired on /,
    /^mistake .*CN=Tokenwell local run, which expired on /,
  ])
})

test('an expired CA beside a valid one is a warning', async (t) => {
  const bundle = caCertificate + certificate
  const lines = await inspect(t, byKey(), { 'the-key': pem(rsa), 'authorization-server-ca': bundle }, 400)
  assertLines(lines, [/^warning .*CN=Tokenwell local run, which expired on /])
})

test('the date that a secret states for its own end is a warning before, and a mistake after it or if it is no date', async (t) => {
  const cases: readonly (readonly [RawElements, string, string])[] = [
    [byPassword, 'the-password', 'authorizationServer\\/theServer basicAuthRef'],
    [
      byKey({ signatureAlgorithm: 'HS256', keyStoreRef: undefined, sharedKey: 'tokenwell/local/shared' }),
      'shared',
      'jwtBuilder\\/theBuilder sharedKey',
    ],
    [byKey(), 'the-key', 'jwtBuilder\\/theBuilder keyStoreRef'],
  ]
  const value = 'the value of the secret, at least 32 bytes'
  for (const [elements, name, place] of cases) {
    const linesWith = async (expiresAt: unknown, days: number) => {
      const text = JSON.stringify({ password: value, key: value, privateKey: pem(rsa), expiresAt })
      const lines = await inspect(t, elements, { [name]: text }, days)
      return lines.filter((line) => !line.includes('CN=Tokenwell local run'))
    }
    const said = (severity: string, sentence: string) =>
      new RegExp(`^${severity} ${place}: The secret tokenwell/local/${name} ${sentence}`)
    const end = new Date(Date.now() + 100 * day).toISOString()
    const endDay = end.slice(0, 10)
    assert.deepEqual(await linesWith(end, 69), [])
    assertLines(await linesWith(end, 71), [said('warning', `expires on ${endDay}, as its expiresAt says\\. `)])
    assertLines(await linesWith(endDay, 98), [said('warning', `expires on ${endDay}`)])
    assertLines(await linesWith(endDay, 101), [said('mistake', `expired on ${endDay}, as its expiresAt says\\. `)])
    assertLines(await linesWith('soon', 0), [said('mistake', 'holds an expiresAt that is not a date\\. ')])
  }
})

test('the dates of a certificate in PKCS#12 are checked, too', async (t) => {
  const client = { privateKey: pem(rsa), certificate, caCertificate }
  const packed = await startIfThere(t, () => packPkcs12(client, 'the words'))
  if (!packed) return
  const elements = byKey()
  elements['keyStore'] = { ...elements['keyStore'], theClient: { location: 'tokenwell/local/client' } }
  elements['ssl'] = { defaultSSLConfig: { trustStoreRef: 'theTrust', keyStoreRef: 'theClient' } }
  const secrets = {
    'the-key': pem(rsa),
    client: JSON.stringify({ pkcs12: packed.toString('base64'), passphrase: 'the words' }),
  }
  const lines = await inspect(t, elements, secrets, 4000)
  assertLines(
    lines.filter((line) => line.includes('tokenwell/local/client')),
    [
      /^mistake .*sslCertsRef: The secret tokenwell\/local\/client holds the certificate of CN=theClient, which expired on /,
    ],
  )
})

const basicPasswords: readonly (readonly [string, string, RegExp | undefined])[] = [
  ['a password', 'correct: horse\n', undefined],
  ['a password for this API', JSON.stringify({ password: 'x', hosts: ['api.example.com'] }), undefined],
  [
    'a password for another host',
    JSON.stringify({ password: 'x', hosts: ['other.example.com'] }),
    /^mistake endpointConnection\/conn authenticationConfigRef: .* is not allowed for api\.example\.com, the host of authData\/theUser/,
  ],
  [
    'a password with a line break',
    'two\nlines',
    /^mistake endpointConnection\/conn authenticationConfigRef: .* holds a password with a line break or another control character/,
  ],
  [
    'an empty text',
    '',
    /^mistake endpointConnection\/conn authenticationConfigRef: The secret tokenwell\/local\/the-password is empty\./,
  ],
  [
    'a key',
    pem(rsa),
    /^mistake endpointConnection\/conn authenticationConfigRef: .* holds PEM, but the element needs a password/,
  ],
]
for (const [title, secret, pattern] of basicPasswords)
  test(`basic authentication to an API by ${title} ${pattern ? 'is a mistake' : 'causes no finding'}`, async (t) => {
    assertLines(await inspect(t, byBasic, { 'the-password': secret }), pattern ? [pattern] : [])
  })

test('a password of an API that expires soon is a warning, and an expired one a mistake', async (t) => {
  const secret = JSON.stringify({ password: 'x', expiresAt: new Date(Date.now() + 10 * day).toISOString() })
  const place = 'endpointConnection\\/conn authenticationConfigRef: The secret tokenwell\\/local\\/the-password'
  assertLines(await inspect(t, byBasic, { 'the-password': secret }), [new RegExp(`^warning ${place} expires on`)])
  assertLines(await inspect(t, byBasic, { 'the-password': secret }, 20), [new RegExp(`^mistake ${place} expired on`)])
})

test('the key of a token that Tokenwell signs is for the host of the connection, and for none without it', async (t) => {
  const elementsWith = (endpoint: object) => ({
    ...localTokenElements({ builder: { ...ownKey, jti: false }, endpoint: { ...endpoint } }),
    keyStore: {
      theKeys: { location: 'tokenwell/local/the-key' },
      theTrust: { location: 'tokenwell/local/authorization-server-ca' },
    },
    ssl: { defaultSSLConfig: { trustStoreRef: 'theTrust' } },
  })
  const withHosts = (...hosts: readonly string[]) => ({
    'the-key': JSON.stringify({ ...rsa.export({ format: 'jwk' }), hosts }),
  })
  const host = { host: 'https://api.example.com' }
  assert.deepEqual(await inspect(t, elementsWith(host), withHosts('api.example.com')), [])
  assertLines(await inspect(t, elementsWith(host), withHosts('other.example.com')), [
    /the-key is not allowed for api\.example\.com, the host of endpointConnection\/conn/,
  ])
  assertLines(await inspect(t, elementsWith({}), withHosts('api.example.com')), [
    /the-key is only for the hosts that it lists, but endpointConnection\/conn does not say which host gets/,
  ])
})

test('KMS keys are examined: that they exist, fit the algorithm, and have the certificate that is sent', async (t) => {
  assert.deepEqual(await inspect(t, inKms(), {}), [])
  assert.deepEqual(await inspect(t, inKms({ certificate }, { x5c: true }), {}), [])
  const others = await createKeyCertificate(p256, 'another')
  for (const [elements, sentence] of [
    [inKms({ location: 'kms:alias/tokenwell/local/none' }), /none does not exist in this account and region/],
    [inKms({}, { signatureAlgorithm: 'ES256' }), /is a 2048 bit RSA key, but ES256 needs an EC key on P-256/],
    [inKms({ certificate: others }), /has a certificate in its keyStore that belongs to another key/],
  ] as const) {
    const [finding = '', ...more] = await inspect(t, elements, {})
    assert.match(finding, /^mistake jwtBuilder\/theBuilder keyStoreRef: The KMS key alias\/tokenwell\/local\//)
    assert.match(finding, sentence)
    assert.deepEqual(more, [])
  }
})

test('the end of the certificate of a KMS key is found as that of a secret is', async (t) => {
  const elements = inKms({ certificate }, { x5c: true })
  const [finding = ''] = await inspect(t, elements, {}, 36_500)
  assert.match(
    finding,
    /^mistake jwtBuilder\/theBuilder keyStoreRef: The keyStore of kms:alias\/tokenwell\/local\/one holds the certificate of .* which expired on/,
  )
})
