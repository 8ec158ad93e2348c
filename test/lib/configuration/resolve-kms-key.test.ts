import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { describeFinding } from '../../../lib/configuration/finding.ts'
import { assertLines, exampleIssuer, mistakesOf, resolveConn } from '../../support/elements/element-store.ts'
import { exampleElements, type RawElements } from '../../support/elements/elements.ts'

const location = 'kms:alias/tokenwell/local/partner'

type Attributes = Readonly<Record<string, unknown>>

function elementsWith(keyStore: Attributes, builder: Attributes = {}): RawElements {
  const elements = exampleElements(exampleIssuer, {
    builder: { keyStoreRef: 'theKey', ...builder, jwkEnabled: undefined },
  })
  return { ...elements, keyStore: { ...elements['keyStore'], theKey: keyStore } }
}

async function resolve(t: TestContext, keyStore: Attributes, builder?: Attributes) {
  const { clientAuthentication, warnings } = await resolveConn(t, elementsWith(keyStore, builder))
  assert.ok(clientAuthentication.method === 'private_key_jwt' && 'key' in clientAuthentication.assertion)
  return { key: clientAuthentication.assertion.key, warnings: warnings.map(describeFinding) }
}

test('a location with kms: names a key by its alias, which is published a day before it signs', async (t) => {
  const { key, warnings } = await resolve(t, { location })
  assert.deepEqual(key, {
    jwtBuilder: 'theBuilder',
    kmsAlias: 'alias/tokenwell/local/partner',
    publishAheadSeconds: 86_400,
  })
  assert.deepEqual(warnings, [])
})

test('kid, certificate, revoked keys and the time of the publication are those of the elements', async (t) => {
  const builder = { publishAheadSeconds: 7_200, revokedKeys: 'old' }
  const { key, warnings } = await resolve(t, { location, kid: 'theKid', certificate: 'MIIB' }, builder)
  assert.deepEqual(key, {
    ...{ jwtBuilder: 'theBuilder', revoked: ['old'], kmsAlias: 'alias/tokenwell/local/partner' },
    ...{ kid: 'theKid', certificate: 'MIIB', publishAheadSeconds: 7_200 },
  })
  assert.deepEqual(warnings, [])
})

test('a publication that servers may not see in time draws a warning, and attributes of generated keys have no effect', async (t) => {
  const { warnings } = await resolve(t, { location }, { publishAheadSeconds: 60, jwkRotationTime: '48h' })
  assertLines(warnings, [
    /^jwtBuilder\/theBuilder publishAheadSeconds: A server may use a JWK set that is 360 s old/,
    /^jwtBuilder\/theBuilder jwkRotationTime: It has no effect: it is only for keys that Tokenwell makes/,
  ])
})

const wrongLocations = [
  'kms:partner',
  'kms:alias/partner',
  'kms:alias/tokenwell/other/partner',
  'kms:alias/tokenwell/local/',
  'kms:alias/tokenwell/local/a b',
  'kms:alias/tokenwell/local/../x',
  'kms:arn:aws:kms:eu-central-1:111122223333:key/1',
  `kms:alias/tokenwell/local/${'a'.repeat(256)}`,
]
for (const wrong of wrongLocations)
  test(`the location ${wrong.slice(0, 60)} is a mistake that says what an alias must be`, async (t) => {
    assertLines(await mistakesOf(t, elementsWith({ location: wrong })), [
      /^keyStore\/theKey location: It must be kms: and an alias under alias\/tokenwell\/local\/, such as kms:alias\/tokenwell\/local\/my-key\./,
    ])
  })

test('keyAlias chooses a key of a secret, so with a KMS key it is a mistake', async (t) => {
  assertLines(await mistakesOf(t, elementsWith({ location }, { keyAlias: 'one' })), [
    /^jwtBuilder\/theBuilder keyAlias: It chooses a key of a secret, but the keyStore names a KMS key\./,
  ])
})

test('kid and certificate are only for KMS keys', async (t) => {
  const secret = { location: 'tokenwell/local/the-key', kid: 'theKid', certificate: 'MIIB' }
  assertLines(await mistakesOf(t, elementsWith(secret)), [
    /^keyStore\/theKey kid: It is only for a KMS key\. Write it beside the key in the secret/,
    /^keyStore\/theKey certificate: It is only for a KMS key\. Write it beside the key in the secret/,
  ])
})

test('a KMS key opens no TLS connection: as trust store or client certificate it is a mistake', async (t) => {
  const elements = elementsWith({ location })
  const ssl = { defaultSSLConfig: { trustStoreRef: 'theKey', keyStoreRef: 'theKey' } }
  assertLines(await mistakesOf(t, { ...elements, ssl }), [
    /^ssl\/defaultSSLConfig trustStoreRef: It names a KMS key, which holds no certificate/,
    /^ssl\/defaultSSLConfig keyStoreRef: It names a KMS key, which holds no certificate/,
  ])
})

test('an alias in the place of a shared key is a mistake: HS* needs a secret', async (t) => {
  const builder = { signatureAlgorithm: 'HS256', sharedKey: location, keyStoreRef: undefined }
  assertLines(await mistakesOf(t, elementsWith({ location }, builder)), [
    /^jwtBuilder\/theBuilder sharedKey: It must be the name of a secret\. Only the location of a keyStore may name a KMS key/,
  ])
})

test('a certificate in the header needs one in the keyStore', async (t) => {
  for (const builder of [{ x5c: true }, { certificateThumbprint: 'x5t#S256' }])
    assertLines(await mistakesOf(t, elementsWith({ location }, builder)), [
      /^jwtBuilder\/theBuilder (x5c|certificateThumbprint): The KMS key has no certificate\. Write it/,
    ])
})
