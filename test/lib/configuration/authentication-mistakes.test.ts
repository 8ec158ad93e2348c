import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  assertLines,
  exampleIssuer,
  localDeployment,
  mistakesOf,
  resolveConn,
} from '../../support/elements/element-store.ts'
import { type ElementChanges, exampleElements, type RawElements } from '../../support/elements/elements.ts'

const contradictions: readonly (readonly [string, ElementChanges, RegExp])[] = [
  [
    'an HS algorithm without a shared key',
    { builder: { signatureAlgorithm: 'HS256', jwkEnabled: undefined } },
    /^jwtBuilder\/theBuilder sharedKey: It is required for HS256/,
  ],
  [
    'a shared key beside RS256, which signs with a private one',
    { builder: { sharedKey: 'tokenwell/local/shared' } },
    /^jwtBuilder\/theBuilder sharedKey: RS256 signs with a private key/,
  ],
  [
    'jwkEnabled beside an HS algorithm, which has no public key',
    { builder: { signatureAlgorithm: 'HS384', sharedKey: 'tokenwell/local/shared' } },
    /^jwtBuilder\/theBuilder jwkEnabled: .*HS384 has no public key/,
  ],
  [
    'an assertion that nothing signs',
    { builder: { jwkEnabled: undefined } },
    /^jwtBuilder\/theBuilder keyStoreRef: There is no key .*keyStore\/defaultKeyStore.*jwkEnabled/,
  ],
  [
    'an assertion for nobody, which names issuer, audiences and aud',
    { server: { issuer: undefined } },
    /^jwtBuilder\/theBuilder audiences: .*no aud\. .*issuer on authorizationServer\/theServer.*audiences here.*aud in claims/,
  ],
  [
    'no authentication method',
    { oAuth: { jwtAuthenticationTokenRef: undefined } },
    /^oAuthConfig\/theConfig jwtAuthenticationTokenRef: .*oAuthTokenConfig.*set basicAuthRef on authorizationServer\/theServer, or set tlsAuthenticationClientId\.$/,
  ],
  [
    'two authentication methods',
    { server: { basicAuthRef: 'theClient' } },
    /^oAuthConfig\/theConfig jwtAuthenticationTokenRef: .*RFC 6749 section 2\.3/,
  ],
  [
    'jwtAuthenticationSetClientId without an assertion',
    {
      server: { basicAuthRef: 'theClient' },
      oAuth: { jwtAuthenticationTokenRef: undefined, jwtAuthenticationSetClientId: false },
    },
    /^oAuthConfig\/theConfig jwtAuthenticationSetClientId: .*only together with jwtAuthenticationTokenRef/,
  ],
]
for (const [title, changes, pattern] of contradictions)
  test(`it is a mistake to ask for ${title}`, async (t) => {
    const authData = { theClient: { user: 'u', passwordSecret: 'tokenwell/local/password' } }
    assertLines(await mistakesOf(t, { ...exampleElements(exampleIssuer, changes), authData }), [pattern])
  })

/** A client that authenticates with the certificate of `defaultSSLConfig`. */
function theTlsClient(changes: ElementChanges = {}): RawElements {
  const oAuth = { jwtAuthenticationTokenRef: undefined, tlsAuthenticationClientId: 'theTlsClient', ...changes.oAuth }
  return {
    ...exampleElements(exampleIssuer, { ...changes, oAuth }),
    ssl: { defaultSSLConfig: { keyStoreRef: 'theIdentity' }, bare: {}, dangling: { keyStoreRef: 'nowhere' } },
    keyStore: { theIdentity: { location: 'tokenwell/local/identity' } },
    authData: { theClient: { user: 'u', passwordSecret: 'tokenwell/local/password' } },
  }
}

test('a client may authenticate with its TLS certificate', async (t) => {
  const { clientId, clientAuthentication, authorizationServer, warnings } = await resolveConn(t, theTlsClient())
  assert.equal(clientId, 'theTlsClient')
  assert.deepEqual(clientAuthentication, { method: 'tls_client_auth' })
  assert.equal(authorizationServer.tls.clientCertificate, 'tokenwell/local/identity')
  assert.deepEqual(warnings, [])
})

const besideTls: readonly (readonly [string, ElementChanges, string])[] = [
  ['an assertion', { oAuth: { jwtAuthenticationTokenRef: 'theTokenConfig' } }, 'jwtAuthenticationTokenRef'],
  ['a password', { server: { basicAuthRef: 'theClient' } }, 'the basicAuthRef of authorizationServer/theServer'],
  ['the client id of an assertion', { oAuth: { jwtAuthenticationSetClientId: false } }, 'jwtAuthenticationSetClientId'],
  [
    'all of them',
    {
      oAuth: { jwtAuthenticationTokenRef: 'theTokenConfig', jwtAuthenticationSetClientId: true },
      server: { basicAuthRef: 'theClient' },
    },
    'jwtAuthenticationTokenRef and jwtAuthenticationSetClientId and the basicAuthRef of authorizationServer/theServer',
  ],
]
for (const [title, changes, others] of besideTls)
  test(`it is a mistake to authenticate with a certificate and ${title}`, async (t) => {
    assert.deepEqual(await mistakesOf(t, theTlsClient(changes)), [
      'oAuthConfig/theConfig tlsAuthenticationClientId: A client uses only one authentication method ' +
        `(RFC 6749 section 2.3). Take out this attribute, or ${others}.`,
    ])
  })

const withoutCertificate = 'oAuthConfig/theConfig has tlsAuthenticationClientId, but there is no client certificate for'

test('if a client that authenticates with a certificate has none, the finding is about its ssl element', async (t) => {
  assert.deepEqual(await mistakesOf(t, theTlsClient({ server: { sslCertsRef: 'bare' } })), [
    `ssl/bare keyStoreRef: ${withoutCertificate} authorizationServer/theServer. Name the keyStore element that holds the certificate.`,
  ])
  const byDefault = { ...theTlsClient(), sslDefault: { default: { sslRef: 'bare' } } }
  assertLines(await mistakesOf(t, byDefault), [/^ssl\/bare keyStoreRef: /])
})

test('if a client that authenticates with a certificate has no ssl element, the finding says so', async (t) => {
  assert.deepEqual(await mistakesOf(t, { ...theTlsClient(), ssl: {} }), [
    `authorizationServer/theServer sslCertsRef: ${withoutCertificate} this server. Name an ssl element that has keyStoreRef.`,
  ])
})

test('a second method does not hide that the certificate is missing', async (t) => {
  const changes = { oAuth: { jwtAuthenticationTokenRef: 'theTokenConfig' }, server: { sslCertsRef: 'bare' } }
  assertLines(await mistakesOf(t, theTlsClient(changes)), [
    /^oAuthConfig\/theConfig tlsAuthenticationClientId: .*only one authentication method/,
    /^ssl\/bare keyStoreRef: /,
  ])
})

test('a wrong reference on the way to a certificate is the only mistake', async (t) => {
  for (const [sslCertsRef, pattern] of [
    ['nothing', /^authorizationServer\/theServer sslCertsRef: There is no ssl element with the id "nothing"/],
    ['dangling', /^ssl\/dangling keyStoreRef: There is no keyStore element with the id "nowhere"/],
  ] as const)
    assertLines(await mistakesOf(t, theTlsClient({ server: { sslCertsRef } })), [pattern])
})

const endpoints: readonly (readonly [string, string, RegExp])[] = [
  ['http', 'http://as.example.com/token', /tokenEndpoint: It must begin with https:\/\//],
  ['http to the loopback address unless that is allowed', 'http://localhost:8080/token', /tokenEndpoint: .*https:\/\//],
  ['another scheme', 'ftp://as.example.com/token', /tokenEndpoint: It must be a URL that begins with https:\/\//],
  ['a fragment', 'https://as.example.com/token#part', /tokenEndpoint: .*no space, fragment/],
  ['an empty fragment', 'https://as.example.com/token#', /tokenEndpoint: .*fragment/],
  [
    'user and password',
    'https://user:hunter2@as.example.com/token',
    /tokenEndpoint: .*user or password\. (?!.*hunter2)/,
  ],
  ['a password', 'https://:hunter2@as.example.com/token', /tokenEndpoint: .*user or password\. (?!.*hunter2)/],
  ['a user', 'https://user@as.example.com/token', /tokenEndpoint: .*user or password/],
  ['a path alone', '/token', /tokenEndpoint: It must be a URL that begins with https:\/\//],
]
for (const [what, tokenEndpoint, pattern] of endpoints)
  test(`a token endpoint can't have ${what}`, async (t) => {
    assertLines(await mistakesOf(t, exampleElements(exampleIssuer, { server: { tokenEndpoint } })), [pattern])
  })

test('allowLoopbackHttp allows no other host', async (t) => {
  for (const host of ['as.example.com', '10.0.0.1', 'localhost.example.com', '127.0.0.1.example.com', '128.0.0.1']) {
    const server = { tokenEndpoint: `http://${host}/token`, allowLoopbackHttp: true }
    assertLines(await mistakesOf(t, exampleElements(exampleIssuer, { server })), [
      /^authorizationServer\/theServer tokenEndpoint: allowLoopbackHttp allows http:\/\/ only for localhost/,
    ])
  }
})

test('allowLoopbackHttp is an error on Lambda', async (t) => {
  const onLambda = { ...localDeployment, isLambda: true }
  for (const tokenEndpoint of ['http://localhost:8080/token', 'https://as.example.com/token']) {
    const server = { tokenEndpoint, allowLoopbackHttp: true }
    assertLines(await mistakesOf(t, exampleElements(exampleIssuer, { server }), onLambda), [
      /^authorizationServer\/theServer allowLoopbackHttp: .*not for Lambda/,
    ])
  }
})

test('parameters that have their own attribute, or that Tokenwell makes, are refused', async (t) => {
  const reserved = [
    'grant_type',
    'client_id',
    'client_assertion',
    'client_assertion_type',
    'client_secret',
    'scope',
    'resource',
    'audience',
    'username',
    'password',
  ]
  const parameters = Object.fromEntries(reserved.map((name) => [name, 'hunter2']))
  assertLines(
    await mistakesOf(t, exampleElements(exampleIssuer, { oAuth: { parameters } })),
    reserved.map(
      (name) => new RegExp(`^oAuthConfig/theConfig parameters: Take out the parameter ${name}: (?!.*hunter2)`),
    ),
  )
})

test("requestMay can't allow parameters that authenticate the client", async (t) => {
  for (const name of [
    'grant_type',
    'client_id',
    'client_assertion',
    'client_assertion_type',
    'client_secret',
    'password',
  ]) {
    const requestMay = { scope: true, [name]: true }
    assertLines(await mistakesOf(t, exampleElements(exampleIssuer, { oAuth: { requestMay } })), [
      new RegExp(
        `^oAuthConfig/theConfig requestMay: Take out the parameter ${name}: requestMay does not decide about it\\.$`,
      ),
    ])
  }
})
