import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JwtOfSecret } from '../../../lib/configuration/assertion-configuration.ts'
import type { ServedConnection } from '../../../lib/configuration/connection.ts'
import { exampleIssuer, resolveConn } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { ownJwt } from '../../support/elements/own-jwt.ts'

test('expiresInSeconds overrides expiry, and only expiry counts a bare number in hours', async (t) => {
  const lifetime = async (builder: Record<string, unknown>) =>
    assertionOf(await resolveConn(t, exampleElements(exampleIssuer, { builder }))).expiresInSeconds

  assert.equal(await lifetime({ expiresInSeconds: 45, expiry: '2h' }), 45)
  assert.equal(await lifetime({ expiry: 2 }), 7200)
  assert.equal(await lifetime({ expiry: '2' }), 7200)
  assert.equal(await lifetime({ expiry: '2m' }), 120)
  assert.equal(await lifetime({ expiresInSeconds: '2h' }), 7200)
})

test('claims are an object, or a text that holds such an object', async (t) => {
  const claims = { department: 'orders & returns', nested: { list: [1, true] } }
  for (const written of [claims, JSON.stringify(claims)]) {
    const connection = await resolveConn(t, exampleElements(exampleIssuer, { tokenConfig: { claims: written } }))
    assert.deepEqual(assertionOf(connection).claims, claims)
  }
})

test("aud in claims is enough without audiences and without the server's issuer", async (t) => {
  const elements = exampleElements(exampleIssuer, {
    server: { issuer: undefined },
    tokenConfig: { claims: { aud: 'https://other.example' } },
  })
  const assertion = assertionOf(await resolveConn(t, elements))
  assert.deepEqual(assertion.audiences, [])
  assert.equal(assertion.claims['aud'], 'https://other.example')
})

test('typ none leaves the header out', async (t) => {
  const assertion = assertionOf(await resolveConn(t, exampleElements(exampleIssuer, { builder: { typ: 'none' } })))
  assert.equal('type' in assertion, false)
})

test('with jwkEnabled Tokenwell makes the key, and a key store named beside it is ignored with a warning', async (t) => {
  const plain = await resolveConn(t, exampleElements(exampleIssuer))
  const made = {
    jwtBuilder: 'theBuilder',
    location: 'tokenwell/local/jwk/theBuilder',
    generated: { modulusLength: 2048, rotationSeconds: 2_592_000, publishAheadSeconds: 86_400 },
  }
  assert.deepEqual(assertionOf(plain).key, made)
  assert.deepEqual(plain.warnings, [])

  const connection = await resolveConn(
    t,
    exampleElements(exampleIssuer, { builder: { keyStoreRef: 'theTrust', keyAlias: 'theAlias' } }),
  )
  assert.deepEqual(assertionOf(connection).key, made)
  assert.deepEqual(
    connection.warnings.map(({ severity, attribute }) => [severity, attribute]),
    [
      ['warning', 'keyStoreRef'],
      ['warning', 'keyAlias'],
    ],
  )
})

test('jwkEnabled works with every asymmetric algorithm', async (t) => {
  for (const signatureAlgorithm of ['RS512', 'PS256', 'ES384', 'Ed25519', 'EdDSA']) {
    const assertion = assertionOf(
      await resolveConn(t, exampleElements(exampleIssuer, { builder: { signatureAlgorithm } })),
    )
    assert.equal(assertion.algorithm, signatureAlgorithm)
    assert(assertion.key.generated)
  }
})

test('an HS algorithm makes the client authenticate with the secret it shares with the server', async (t) => {
  const builder = { signatureAlgorithm: 'HS512', jwkEnabled: undefined, sharedKey: 'tokenwell/local/shared' }
  const connection = await resolveConn(t, exampleElements(exampleIssuer, { builder }))
  assert.equal(connection.clientAuthentication.method, 'client_secret_jwt')
  assert.deepEqual(assertionOf(connection).key, { jwtBuilder: 'theBuilder', location: 'tokenwell/local/shared' })
})

function assertionOf({ clientAuthentication }: ServedConnection): JwtOfSecret {
  assert('assertion' in clientAuthentication)
  return ownJwt(clientAuthentication.assertion)
}
