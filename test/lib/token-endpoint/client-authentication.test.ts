import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LocatedConnection } from '../../../lib/configuration/connection.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { createSecretCache } from '../../../lib/secret/secret-cache.ts'
import { createAssertionMakers } from '../../../lib/signing/assertion-makers.ts'
import { createSignerCache } from '../../../lib/signing/signer-cache.ts'
import { authenticateClient, type ClientCredentials } from '../../../lib/token-endpoint/client-authentication.ts'
import { createRequestKeySource } from '../../../lib/token-endpoint/request-keys.ts'
import { resolveConn } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { noKmsSigners } from '../../support/virtual/key-services.ts'
import { singleVersionSecrets } from '../../support/virtual/secret-stores.ts'

const noWebIdentity = { token: () => Promise.reject(new Error('AWS signs nothing here')) }
const moment = { now: 1_700_000_000_000, jwtId: 'the-jwt-id' }

/** The credentials of the connection's client, where every secret is this text. */
async function authenticate(connection: LocatedConnection, text: string): Promise<ClientCredentials> {
  const secrets = createSecretCache(
    singleVersionSecrets(async () => new Secret(text)),
    Date.now,
  )
  const { client } = await createRequestKeySource(
    createAssertionMakers(createSignerCache(secrets, Date.now), noKmsSigners, noWebIdentity),
    secrets,
  ).current(connection)
  return authenticateClient(connection.clientId, client, moment)
}

const reveal = (secrets: readonly Secret[]) => secrets.map((secret) => secret.reveal())

test("id and password are form-encoded before they are joined, and an editor's line break is not part of the password", async (t) => {
  const connection = await resolveConn(t, {
    ...exampleElements('https://as.example', {
      server: { basicAuthRef: 'theData' },
      oAuth: { jwtAuthenticationTokenRef: undefined },
    }),
    authData: { theData: { user: 'the client:1', passwordSecret: 'tokenwell/local/the-password' } },
  })
  const { parameters, headers, secrets } = await authenticate(connection, 'p:&ss wörd+\r\n')
  const [scheme, pair = ''] = headers['authorization']?.reveal().split(' ') ?? []
  assert.equal(scheme, 'Basic')
  assert.equal(Buffer.from(pair, 'base64').toString(), 'the+client%3A1:p%3A%26ss+w%C3%B6rd%2B')
  assert.deepEqual(parameters, [])
  assert.deepEqual(reveal(secrets), ['p:&ss wörd+', pair], 'a server may repeat it')
})

test('an assertion is in the body, and counts as a secret that a server may repeat', async (t) => {
  const elements = exampleElements('https://as.example', {
    builder: { signatureAlgorithm: 'HS256', jwkEnabled: undefined, sharedKey: 'tokenwell/local/the-key' },
  })
  const connection = await resolveConn(t, elements)
  const { parameters, headers, secrets } = await authenticate(connection, 'x'.repeat(32))
  const [type, assertion, ...rest] = parameters
  assert.deepEqual(type, ['client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'])
  assert.equal(assertion?.[0], 'client_assertion')
  assert.ok(assertion[1] instanceof Secret)
  assert.deepEqual(reveal(secrets), [assertion[1].reveal()])
  assert.deepEqual(rest, [])
  assert.deepEqual(headers, {})
})

test('a client that authenticates by its certificate sends its id in the body and no credentials (RFC 8705 section 2)', async (t) => {
  const elements = exampleElements('https://as.example', {
    server: { sslCertsRef: 'mutual' },
    oAuth: { jwtAuthenticationTokenRef: undefined, tlsAuthenticationClientId: 'the client:1' },
  })
  const connection = await resolveConn(t, {
    ...elements,
    ssl: { mutual: { keyStoreRef: 'theTrust' } },
  })
  assert.deepEqual(await authenticate(connection, 'of no use'), {
    parameters: [['client_id', 'the client:1']],
    headers: {},
    secrets: [],
    sendsClientId: true,
  })
})
