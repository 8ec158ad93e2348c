import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isSignedByTokenwell, locationOf } from '../../../lib/configuration/assertion-configuration.ts'
import { assertLines, exampleIssuer, mistakesOf, resolveConn } from '../../support/elements/element-store.ts'
import { exampleElements, type RawElements } from '../../support/elements/elements.ts'

function inKms(location: string, builder: object = {}, keyStore: object = {}): RawElements {
  const elements = exampleElements(exampleIssuer, { builder: { jwkEnabled: false, keyStoreRef: 'inKms', ...builder } })
  return { ...elements, keyStore: { ...elements['keyStore'], inKms: { location, ...keyStore } } }
}

const location = 'kms:alias/tokenwell/local/one'

test('a keyStore may name a KMS key by an alias of its stage', async (t) => {
  const { clientAuthentication: way } = await resolveConn(t, inKms(location))
  assert.ok('assertion' in way && isSignedByTokenwell(way.assertion))
  assert.equal(locationOf(way.assertion.key), location)
})

test('another alias, a key id and an alias of another stage are mistakes', async (t) => {
  for (const other of [
    'kms:alias/orders',
    'kms:1234abcd',
    'kms:alias/tokenwell/prod/one',
    'kms:alias/tokenwell/local/',
  ])
    assertLines(await mistakesOf(t, inKms(other)), [/keyStore\/inKms location: It must be kms: and an alias under/])
})

test('an alias in the place of a shared key is a mistake: HS* needs a secret', async (t) => {
  const builder = { signatureAlgorithm: 'HS256', sharedKey: location, keyStoreRef: undefined }
  assertLines(await mistakesOf(t, inKms(location, builder)), [
    /jwtBuilder\/theBuilder sharedKey: It must be the name of a secret\. Only the location of a keyStore may name a KMS key/,
  ])
})

test('a certificate in the header needs one in the keyStore', async (t) => {
  for (const builder of [{ x5c: true }, { certificateThumbprint: 'x5t#S256' }])
    assertLines(await mistakesOf(t, inKms(location, builder)), [
      /jwtBuilder\/theBuilder (x5c|certificateThumbprint): The KMS key has no certificate\. Write it/,
    ])
})
