import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeFinding } from '../../../lib/configuration/finding.ts'
import {
  assertLines,
  exampleIssuer,
  localDeployment,
  mistakesOf,
  resolveConn,
} from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { ownJwt } from '../../support/elements/own-jwt.ts'

const byKeyStore = { jwkEnabled: undefined, keyStoreRef: 'theTrust' }

test('what an assertion must have cannot be left out, and the mistake says why', async (t) => {
  const wrong: readonly (readonly [unknown, readonly RegExp[]])[] = [
    ['exp', [/Take exp out: without it, the JWT would be valid forever\.$/]],
    [
      ['alg', 'typ'],
      [/Take alg out: /, /Take typ out: to leave this header out, set typ to none\.$/],
    ],
    ['tenant', [/It must be one of iss, sub, aud, nbf, iat, jti, kid, or a list of them\.$/]],
    [[], [/It must be one of iss, /]],
    ['constructor', [/It must be one of iss, /]],
    [5, [/It must be one of iss, .*\. The value is another number\.$/]],
  ]
  for (const [omit, messages] of wrong)
    assertLines(
      await mistakesOf(t, exampleElements(exampleIssuer, { builder: { omit } })),
      messages.map((message) => new RegExp(`^jwtBuilder/theBuilder omit: ${message.source}`)),
    )
})

test('omit is one name or a list, and each name counts once', async (t) => {
  for (const omit of ['iat', ['iat', 'iat']]) {
    const { clientAuthentication } = await resolveConn(t, exampleElements(exampleIssuer, { builder: { omit } }))
    assert.ok('assertion' in clientAuthentication)
    assert.deepEqual(ownJwt(clientAuthentication.assertion).omitted, ['iat'])
  }
})

test('header adds members, and none that has an attribute of its own or would weaken the signature', async (t) => {
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ alg: 'none' }, /Take out alg: set the attribute signatureAlgorithm of this element instead\.$/],
    [{ kid: 'a' }, /Take out kid: it is the kid of the key in its secret\. To leave it out, name it in omit\.$/],
    [{ typ: 'JWT' }, /Take out typ: set the attribute typ/],
    [{ x5t: 'a' }, /Take out x5t: set the attribute certificateThumbprint/],
    [{ 'x5t#S256': 'a' }, /Take out x5t#S256: set the attribute certificateThumbprint/],
    [{ x5c: ['a'] }, /Take out x5c: set the attribute x5c/],
    [{ crit: ['b64'] }, /Take out crit: /],
    [{ b64: false }, /Take out b64: /],
    [{ jwk: {} }, /Take out jwk: /],
    [{ tenant: null }, /The member tenant is null\./],
    [{ jku: 'http://keys.example/jwks' }, /The member jku must be a URL that begins with https:/],
    [{ x5u: ['https://keys.example/'] }, /The member x5u must be a URL that begins with https:/],
    [{ cty: 5 }, /The member cty must be a text\.$/],
    [[1], /It must be an object of header members\. The value is a list\.$/],
  ]
  for (const [header, message] of wrong)
    assertLines(await mistakesOf(t, exampleElements(exampleIssuer, { builder: { header } })), [
      new RegExp(`^jwtBuilder/theBuilder header: ${message.source}`),
    ])

  const header = { jku: 'https://keys.example/jwks', cty: 'JWT', tenant: { list: [1, true] } }
  const builder = { ...byKeyStore, header }
  const { clientAuthentication, warnings } = await resolveConn(t, exampleElements(exampleIssuer, { builder }))
  assert.ok('assertion' in clientAuthentication)
  assert.deepEqual(ownJwt(clientAuthentication.assertion).header, header)
  assert.deepEqual(warnings, [])
})

test('the jku of keys that Tokenwell publishes is the URL where it publishes them', async (t) => {
  const { publicUrl } = localDeployment
  const warningsOf = async (jku: string) => {
    const elements = exampleElements(exampleIssuer, { builder: { header: { jku } } })
    return (await resolveConn(t, elements)).warnings.map(describeFinding)
  }
  assert.deepEqual(await warningsOf(`${publicUrl}/jwt/theBuilder/jwk`), [])
  assertLines(await warningsOf('https://keys.example/jwks'), [
    /^jwtBuilder\/theBuilder header: The jku is another URL .* Set it to https:\/\/tokenwell\.example\/jwt\/theBuilder\/jwk\.$/,
  ])
})

test('a shared key has no certificate for x5c', async (t) => {
  const builder = { jwkEnabled: undefined, signatureAlgorithm: 'HS256', sharedKey: 'tokenwell/local/k', x5c: true }
  assertLines(await mistakesOf(t, exampleElements(exampleIssuer, { builder })), [
    /^jwtBuilder\/theBuilder x5c: The key of HS256 has no certificate\. Take this attribute out\.$/,
  ])
})

test('an algorithm that nobody implements is refused, and the mistake lists the others', async (t) => {
  for (const signatureAlgorithm of ['Ed448', 'ES256K', 'ML-DSA-44', 'none'])
    assertLines(await mistakesOf(t, exampleElements(exampleIssuer, { builder: { signatureAlgorithm } })), [
      /^jwtBuilder\/theBuilder signatureAlgorithm: It must be one of RS256, .*ES512, Ed25519, EdDSA, HS256/,
    ])
})
