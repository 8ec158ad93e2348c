import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  assertLines,
  configurationErrorOf,
  exampleIssuer,
  findingsOf,
  mistakesOf,
  resolveConn,
} from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { ownJwt } from '../../support/elements/own-jwt.ts'

test('all mistakes of a connection are listed at once, each with its element and attribute', async (t) => {
  const elements = exampleElements(exampleIssuer, {
    builder: { signatureAlgorithm: 'HS256' },
    server: { issuer: undefined, tokenEndpoint: 'http://as.example.com/token', basicAuthRef: 'nobody' },
  })
  elements['keyStore'] = { theTrust: { location: '/etc/ca.pem' } }
  const error = await configurationErrorOf(resolveConn(t, elements))

  assert.equal(error.code, 'configuration')
  assertLines(error.message.split('\n'), [
    /^jwtBuilder\/theBuilder jwkEnabled: .*HS256/,
    /^jwtBuilder\/theBuilder sharedKey: It is required for HS256/,
    /^jwtBuilder\/theBuilder audiences: .*no aud/,
    /^authorizationServer\/theServer tokenEndpoint: .*https:/,
    /^authorizationServer\/theServer basicAuthRef: .*"nobody"/,
    /^oAuthConfig\/theConfig jwtAuthenticationTokenRef: .*one authentication method/,
    /^keyStore\/theTrust location: /,
  ])
})

test('all mistakes of one element are listed at once', async (t) => {
  const lines = await mistakesOf(
    t,
    exampleElements(exampleIssuer, {
      builder: { id: 'another', jti: 'perhaps', keyStorRef: 'x', jwkMaxKeys: 3, jwkRotationTime: '30d' },
    }),
  )
  assertLines(lines, [
    /^jwtBuilder\/theBuilder id: /,
    /^jwtBuilder\/theBuilder jti: It must be true or false/,
    /^jwtBuilder\/theBuilder keyStorRef: .*Did you mean keyStoreRef\?/,
    /^jwtBuilder\/theBuilder jwkMaxKeys: /,
    /^jwtBuilder\/theBuilder jwkRotationTime: It must be a duration of whole hours such as 12h or 720h, at least 4h/,
  ])
})

test('a check of the whole configuration also lists mistakes of unused elements, each once', async (t) => {
  const elements = exampleElements(exampleIssuer, { server: { tokenEndpoint: 'http://as.example.com/token' } })
  elements['endpointConnection'] = {
    ...elements['endpointConnection'],
    again: { authenticationConfigRef: 'theConfig' },
  }
  elements['oAuthTokenConfig'] = { ...elements['oAuthTokenConfig'], unused: { tokenGeneratorRef: 'nothing' } }
  elements['jwtBuilder'] = { ...elements['jwtBuilder'], unused: { keyStoreRef: 'nothing' } }
  assertLines(await findingsOf(t, elements), [
    /^authorizationServer\/theServer tokenEndpoint: /,
    /^oAuthTokenConfig\/unused tokenGeneratorRef: There is no jwtBuilder or awsWebIdentity element with the id "nothing"/,
    /^jwtBuilder\/unused keyStoreRef: There is no keyStore element with the id "nothing"/,
  ])
})

test('the finding for an unknown attribute names the nearest attribute, or else all attributes', async (t) => {
  const near = await mistakesOf(t, exampleElements(exampleIssuer, { server: { SSLCertsRef: 'x', tokenEndPoint: 'x' } }))
  assertLines(near, [/SSLCertsRef: .*Did you mean sslCertsRef\?$/, /tokenEndPoint: .*Did you mean tokenEndpoint\?$/])

  const [far, ...more] = await mistakesOf(t, exampleElements(exampleIssuer, { tokenConfig: { zebra: 1 } }))
  assert.match(far ?? '', /zebra: There is no such attribute\. .*tokenGeneratorRef, tokenSubject, claims\.$/)
  assert.deepEqual(more, [])
})

test('the finding for an attribute of other kinds names these kinds', async (t) => {
  const changes = {
    endpoint: { hostFrom: {} },
    oAuth: { scopeSeparator: ',', sslCertsRef: 'x' },
    builder: { audience: 'x' },
  }
  assertLines(await mistakesOf(t, exampleElements(exampleIssuer, changes)), [
    /^endpointConnection\/conn hostFrom: There is no such attribute\. It is an attribute of oAuthConfig\.$/,
    /^oAuthConfig\/theConfig scopeSeparator: .* It is an attribute of authorizationServer\.$/,
    /^oAuthConfig\/theConfig sslCertsRef: .* It is an attribute of endpointConnection and of authorizationServer\.$/,
    /^jwtBuilder\/theBuilder audience: .* It is an attribute of oAuthConfig and of awsWebIdentity\. Did you mean audiences\?$/,
  ])
})

test('no option of one letter is a hint', async (t) => {
  assertLines(await mistakesOf(t, exampleElements(exampleIssuer, { server: { scopeSeparator: ', ' } })), [
    /scopeSeparator: It must be a blank, a comma, a semicolon or \|\. The value is another text\.$/,
  ])
})

test('a client without tokenSubject is one mistake, without a warning about its iss', async (t) => {
  assertLines(await findingsOf(t, exampleElements(exampleIssuer, { tokenConfig: { tokenSubject: undefined } })), [
    /^oAuthTokenConfig\/theTokenConfig tokenSubject: It is required for the assertion of a client/,
  ])
})

test('names that every JavaScript object inherits are unknown attributes like any other', async (t) => {
  const names = ['constructor', 'hasOwnProperty', 'toString', '__proto__']
  const builder = JSON.parse(`{ ${names.map((name) => `"${name}": {}`).join()} }`) as Record<string, unknown>
  assertLines(
    await mistakesOf(t, exampleElements(exampleIssuer, { builder })),
    names.map(
      (name) =>
        new RegExp(`^jwtBuilder/theBuilder ${name}: There is no such attribute. The attributes of jwtBuilder are `),
    ),
  )
})

test('the finding for a wrong value says what it must be, and never shows the value', async (t) => {
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ builder: { jti: 'hunter2' } }, /jti: It must be true or false\. The value is another text\.$/],
    [
      { builder: { audiences: ['a', 5] } },
      /audiences: It must be one text or a list of texts\. The value is a list\.$/,
    ],
    [
      { builder: { expiresInSeconds: 'hunter2' } },
      /expiresInSeconds: It must be a duration of whole seconds such as 30s/,
    ],
    [{ builder: { expiresInSeconds: '0s' } }, /expiresInSeconds: .*at least 1s/],
    [{ builder: { expiry: '500ms' } }, /expiry: .*at least 1s/],
    [{ builder: { nbfOffset: '-1s' } }, /nbfOffset: .*at least 0s/],
    [{ builder: { issuedAtOffset: '-2h' } }, /issuedAtOffset: .*at least -1h/],
    [{ builder: { signatureAlgorithm: 'rs256' } }, /signatureAlgorithm: .*PS512.*Did you mean RS256\?$/],
    [{ builder: { signatureAlgorithm: 'none' } }, /signatureAlgorithm: It must be one of RS256/],
    [{ builder: { jwkSigningKeySize: 1024 } }, /jwkSigningKeySize: It must be one of 2048, 3072, 4096/],
    [{ builder: { jwkRotationTime: '3h' } }, /jwkRotationTime: .*at least 4h/],
    [{ builder: { jwkRotationTime: 239 } }, /jwkRotationTime: .*at least 4h/],
    [{ builder: { jwkRotationTime: '4h30m' } }, /jwkRotationTime: It must be a duration of whole hours/],
    [{ builder: { jwkRotationTime: '8761h' } }, /jwkRotationTime: It must be a duration of whole hours/],
    [{ builder: { publishAheadSeconds: '1h' } }, /publishAheadSeconds: It must be a whole number/],
    [{ builder: { publishAheadSeconds: -1 } }, /publishAheadSeconds: It must be a whole number from 0/],
    [{ builder: { certificateThumbprint: 'x5t#S25' } }, /certificateThumbprint: .*Did you mean x5t#S256\?$/],
    [{ builder: { typ: ' ' } }, /typ: It must be a non-empty text .*\. The value is empty\.$/],
    [{ tokenConfig: { tokenSubject: 5 } }, /tokenSubject: It must be a non-empty text/],
    [{ tokenConfig: { tokenSubject: null } }, /tokenSubject: It must be a non-empty text.*\. The value is null\.$/],
    [
      { tokenConfig: { claims: '{hunter2' } },
      /claims: It must be an object of claims, or a text that holds such an object/,
    ],
    [
      { tokenConfig: { claims: '"hunter2"' } },
      /claims: It must be an object of claims, or a text that holds such an object/,
    ],
    [{ tokenConfig: { claims: '{ "a": "hunter2", "a": 1 }' } }, /claims: It must be an object of claims/],
    [{ tokenConfig: { claims: 5 } }, /claims: It must be an object of claims, or a text that holds such an object/],
    [{ tokenConfig: { claims: { iss: 5 } } }, /claims: The claim iss must be a text/],
    [{ tokenConfig: { claims: { aud: [] } } }, /claims: The claim aud must be a text or a list/],
    [{ tokenConfig: { claims: { exp: '2027-01-01' } } }, /claims: The claim exp must be a whole number/],
    [{ tokenConfig: { claims: { nbf: 1.5 } } }, /claims: The claim nbf must be a whole number/],
    [{ tokenConfig: { claims: { jti: '' } } }, /claims: The claim jti must be a text/],
    [{ tokenConfig: { claims: { amr: null } } }, /claims: The claim amr is null\. Give it a value, or take it out\.$/],
    [{ server: { maximumConcurrency: 0 } }, /maximumConcurrency: It must be a whole number from 1 to 1000/],
    [{ server: { assumedLifetimeSeconds: 0.5 } }, /assumedLifetimeSeconds: It must be a whole number/],
    [{ server: { connectionTimeout: 0 } }, /connectionTimeout: .*at least 1ms/],
    [{ endpoint: { warm: 'hunter2' } }, /warm: It must be true or false\. The value is another text\.$/],
    [{ endpoint: { warmIdle: 59 } }, /warmIdle: It must be a duration such as .* at least 1m and at most 720h/],
    [{ endpoint: { warmIdle: '720h1s' } }, /warmIdle: It must be a duration .* at most 720h/],
    [{ endpoint: { warmVariants: 0 } }, /warmVariants: It must be a whole number from 1 to 100/],
    [{ endpoint: { warmVariants: 101 } }, /warmVariants: It must be a whole number from 1 to 100/],
    [{ endpoint: { connectionTimeout: 0 } }, /connectionTimeout: .*at least 1ms/],
    [{ endpoint: { receiveTimeout: 'hunter2' } }, /receiveTimeout: It must be a duration/],
    [{ endpoint: { port: 0 } }, /port: It must be a whole number from 1 to 65535/],
    [{ endpoint: { sslCertsRef: ['a'] } }, /sslCertsRef: It must be the id of one ssl element/],
    [{ endpoint: { proxyConfigRef: '' } }, /proxyConfigRef: It must be the id of one proxyConfig element/],
    [{ server: { proxyConfigRef: 5 } }, /proxyConfigRef: It must be the id of one proxyConfig element/],
    [
      { oAuth: { tokenRetryCheckLevel: 4 } },
      /tokenRetryCheckLevel: It must be one of 1, 2, 3\. The value is another number/,
    ],
    [
      { oAuth: { tlsAuthenticationClientId: ' ' } },
      /tlsAuthenticationClientId: It must be a non-empty text .*\. The value is empty\.$/,
    ],
    [{ server: { receiveTimeout: '8760h1ms' } }, /receiveTimeout: It must be a duration/],
    [
      { oAuth: { grantType: 'implicit' } },
      /grantType: It must be client_credentials, password, account_credentials, jwt-bearer or token-exchange/,
    ],
    [
      { oAuth: { authServerRef: 'theServer, another' } },
      /authServerRef: It must be the id of one authorizationServer element/,
    ],
    [{ oAuth: { scope: 'a"b' } }, /scope: It must be scopes .*RFC 6749 section 3\.3/],
    [{ oAuth: { resource: 'https://a.example/#b' } }, /resource: .*RFC 8707/],
    [{ builder: { expiresInSeconds: 1.5 } }, /expiresInSeconds: It must be a duration of whole seconds/],
    [{ builder: { issuedAtOffset: '-500ms' } }, /issuedAtOffset: It must be a duration of whole seconds/],
    [{ builder: { audiences: [] } }, /audiences: It must be one text or a list of texts\. The value is a list\.$/],
    [
      { server: { maximumConcurrency: 'hunter2' } },
      /maximumConcurrency: It must be a whole number from 1 to 1000\. The value is another text\.$/,
    ],
    [{ tokenConfig: { claims: ['hunter2'] } }, /claims: It must be an object of claims/],
    [{ tokenConfig: { claims: '["hunter2"]' } }, /claims: It must be an object of claims/],
    [{ oAuth: { parameters: ['hunter2'] } }, /parameters: It must be an object of texts\. The value is a list\.$/],
    [{ oAuth: { parameters: { x: 5 } } }, /parameters: The value of x must be a text\.$/],
    [{ oAuth: { requestMay: ['hunter2'] } }, /requestMay: It must be an object .*\. The value is a list\.$/],
    [
      { oAuth: { requestMay: { scope: 'hunter2' } } },
      /requestMay: The value of scope must be true or a list of texts\.$/,
    ],
    [{ oAuth: { parameters: 'hunter2' } }, /parameters: It must be an object of texts/],
    [{ oAuth: { requestMay: 'hunter2' } }, /requestMay: It must be an object that gives each parameter true or a list/],
  ]
  for (const [changes, pattern] of wrong) {
    const lines = await mistakesOf(t, exampleElements(exampleIssuer, changes))
    assertLines(lines, [pattern])
    assert.doesNotMatch(lines.join('\n'), /hunter2/)
  }
})

test('one mistake does not hide another: references, secret names and contradictions are still checked', async (t) => {
  const elements = exampleElements(exampleIssuer, {
    oAuth: { scop: 'a', parameters: { x: 5, client_secret: 'hunter2' } },
    builder: { jwkEnabled: undefined, keyStoreRef: 'theKeys', signatureAlgorithm: 'HS256' },
    server: { recieveTimeout: 1, sslCertsRef: 'nowhere' },
  })
  elements['keyStore'] = { ...elements['keyStore'], theKeys: { location: 'hunter2', typo: 1 } }
  const lines = await findingsOf(t, elements)
  assertLines(lines, [
    /^oAuthConfig\/theConfig scop: .*Did you mean scope\?/,
    /^oAuthConfig\/theConfig parameters: The value of x must be a text\./,
    /^oAuthConfig\/theConfig parameters: Take out the parameter client_secret: /,
    /^authorizationServer\/theServer recieveTimeout: .*Did you mean receiveTimeout\?/,
    /^authorizationServer\/theServer sslCertsRef: There is no ssl element with the id "nowhere"/,
    /^jwtBuilder\/theBuilder sharedKey: It is required for HS256/,
    /^jwtBuilder\/theBuilder keyStoreRef: It has no effect: HS256 signs with sharedKey/,
    /^keyStore\/theKeys typo: There is no such attribute/,
    /^keyStore\/theKeys location: It must be the name of a secret under tokenwell\/local\//,
  ])
  assert.doesNotMatch(lines.join('\n'), /hunter2/)
})

test('an unreadable attribute is one mistake, without mistakes that follow from its absence', async (t) => {
  const builder = { jwkEnabled: undefined, signatureAlgorithm: 'HS256', sharedKey: 5 }
  assertLines(await mistakesOf(t, exampleElements(exampleIssuer, { builder })), [
    /sharedKey: It must be the name of a secret/,
  ])
})

test('a mistake in an unused default element does not affect a connection', async (t) => {
  const elements = exampleElements(exampleIssuer, { builder: { keyStoreRef: 'nowhere' } })
  const unused = {
    ...elements,
    ssl: { ...elements['ssl'], other: {}, defaultSSLConfig: { typo: 1 } },
    sslDefault: { default: { sslRef: 'other' } },
    keyStore: { ...elements['keyStore'], defaultKeyStore: { location: 'hunter2' } },
  }
  assert.equal((await resolveConn(t, unused)).authorizationServer.tls.trustStore, undefined)
})

test('claims and parameters may have any name, and none is lost', async (t) => {
  const names = ['constructor', 'prototype', '__proto__', 'toString']
  const values = JSON.parse(`{ ${names.map((name) => `"${name}": "x"`).join()} }`) as Record<string, string>
  for (const claims of [values, JSON.stringify(values)]) {
    const connection = await resolveConn(
      t,
      exampleElements(exampleIssuer, { tokenConfig: { claims }, oAuth: { parameters: values } }),
    )
    assert.deepEqual(Object.keys(connection.parameters.further), names)
    const { clientAuthentication: authentication } = connection
    assert.ok(authentication.method === 'private_key_jwt')
    assert.deepEqual(Object.keys(ownJwt(authentication.assertion).claims), names)
  }
})

test('host holds only scheme and host', async (t) => {
  for (const host of [
    'api.example.com',
    'ftp://api.example.com',
    'https://api.example.com/orders',
    'https://u@a.example',
  ])
    assertLines(
      await mistakesOf(t, {
        ...exampleElements(exampleIssuer),
        endpointConnection: { conn: { authenticationConfigRef: 'theConfig', host } },
      }),
      [/^endpointConnection\/conn host: It must be a scheme and a host without a path/],
    )
})

test('a base path holds nothing that would let a call leave it', async (t) => {
  for (const domainBasePath of [
    'orders',
    '//orders',
    '/orders//v1',
    '/orders//',
    '/..',
    '/../orders',
    '/orders/..',
    '/orders/../v1',
    '/orders/./v1',
    '/orders/.',
    '/orders/..;x/v1',
    '/orders/;x',
    '/%2e%2e/orders',
    '/orders%2Fv1',
    '/orders?tenant=a',
    '/orders#part',
    '/orders\\v1',
    '/orders/a b',
    '/or\tders',
    '/bücher',
    '/．．/orders',
    'https://api.example.com/orders',
  ])
    assertLines(
      await mistakesOf(t, exampleElements(exampleIssuer, { endpoint: { host: 'https://a.example', domainBasePath } })),
      [
        /^endpointConnection\/conn domainBasePath: It must be a path that begins with \/ .*\. The value is another text\.$/,
      ],
    )
})

const proxyMistakes: readonly (readonly [attribute: string, values: readonly unknown[], RegExp])[] = [
  [
    'host',
    [
      'http://proxy.example.com',
      'proxy.example.com:3128',
      '10.0.0.1:3128',
      'cafe.bed:3128',
      'user@proxy.example.com',
      'proxy.example.com/',
      'proxy .example.com',
      'proxy..example.com',
      '.example.com',
      '-proxy',
      '...',
      '127.1',
      '3128',
      '[::1]',
      '::1::',
      'fe80::1%eth0',
      'bücher.example',
      `${'a'.repeat(64)}.example`,
      `${'a.'.repeat(127)}`,
      3128,
    ],
    /It must be a host name or IP address without scheme, port and brackets\. The value is another /,
  ],
  ['port', ['0', 65_536, '3128a'], /It must be a whole number from 1 to 65535/],
  [
    'noProxy',
    ['', ',', [], [5], 'https://api.example.com', 'api.example.com:0', ['api.example.com', '10.0.0.0/8'], '*,*:8443'],
    /It must be hosts in the form of NO_PROXY, .*\.example\.com/,
  ],
]
for (const [attribute, values, pattern] of proxyMistakes)
  test(`an invalid ${attribute} of a proxy is a mistake`, async (t) => {
    for (const value of values) {
      const theProxy = { host: 'proxy.example.com', port: 3128, [attribute]: value }
      const lines = await findingsOf(t, { proxyConfig: { theProxy } })
      assert.equal(lines.length, 1, `${JSON.stringify(value)}: ${lines.join('\n')}`)
      assert.ok(lines[0]?.startsWith(`proxyConfig/theProxy ${attribute}: `), lines[0])
      assert.match(lines[0] ?? '', pattern)
    }
  })

test('a missing required attribute is a mistake', async (t) => {
  const incomplete = {
    endpointConnection: ['authenticationConfigRef'],
    oAuthConfig: ['authServerRef'],
    oAuthTokenConfig: ['tokenGeneratorRef'],
    keyStore: ['location'],
    sslDefault: ['sslRef'],
    authData: ['user', 'passwordSecret'],
    proxyConfig: ['host', 'port'],
  }
  const elements = Object.fromEntries(Object.keys(incomplete).map((kind) => [kind, { default: {} }]))
  assertLines(
    await findingsOf(t, elements),
    Object.entries(incomplete).flatMap(([kind, attributes]) =>
      attributes.map((attribute) => new RegExp(`^${kind}/default ${attribute}: It is required but missing`)),
    ),
  )
})

test('an element that is not an object is a mistake', async (t) => {
  const elements = { keyStore: { list: [], text: 'hunter2', nothing: null } } as never
  assertLines(await findingsOf(t, elements), [
    /^keyStore\/list: It must be a JSON object\. The value is a list\.$/,
    /^keyStore\/text: It must be a JSON object\. The value is another text\.$/,
    /^keyStore\/nothing: It must be a JSON object\. The value is null\.$/,
  ])
})

test('an id inside an element must equal its name', async (t) => {
  assertLines(await mistakesOf(t, exampleElements(exampleIssuer, { server: { id: 'theserver' } })), [
    /^authorizationServer\/theServer id: .*"theServer"/,
  ])
  await resolveConn(t, exampleElements(exampleIssuer, { server: { id: 'theServer' } }))
})

test("the finding for a dangling reference names the nearest id, as for z/OS Connect's example, where the case differs", async (t) => {
  const elements = exampleElements(exampleIssuer)
  elements['endpointConnection'] = { conn: { authenticationConfigRef: 'myOAuthConfig' } }
  elements['oAuthConfig'] = { myoAuthConfig: elements['oAuthConfig']?.['theConfig'] ?? {} }
  const lines = await mistakesOf(t, elements)
  assert.deepEqual(lines, [
    'endpointConnection/conn authenticationConfigRef: There is no oAuthConfig, authToken, authTokenLocal or authData element with the id "myOAuthConfig". ' +
      'Did you mean "myoAuthConfig"? Ids are case-sensitive.',
  ])
})

test('every kind of reference is followed, and its mistake is about the attribute that holds it', async (t) => {
  const elements = exampleElements(exampleIssuer, {
    builder: { jwkEnabled: false, keyStoreRef: 'nothing1' },
    server: { sslCertsRef: 'theSsl' },
  })
  elements['ssl'] = { theSsl: { keyStoreRef: 'nothing2', trustStoreRef: 'nothing3' } }
  assertLines(await mistakesOf(t, elements), [
    /^jwtBuilder\/theBuilder keyStoreRef: .*keyStore element with the id "nothing1"\. Add the element/,
    /^ssl\/theSsl keyStoreRef: .*keyStore element with the id "nothing2"/,
    /^ssl\/theSsl trustStoreRef: .*keyStore element with the id "nothing3"/,
  ])

  const atTheApi = exampleElements(exampleIssuer, {
    endpoint: { host: 'https://api.example.com', sslCertsRef: 'nothing1', proxyConfigRef: 'theproxy' },
    server: { proxyConfigRef: 'theProxy' },
  })
  atTheApi['proxyConfig'] = { theProxy: { host: 'proxy.example.com', port: 3128, basicAuthRef: 'nothing2' } }
  assertLines(await mistakesOf(t, atTheApi), [
    /^endpointConnection\/conn sslCertsRef: .*ssl element with the id "nothing1"/,
    /^endpointConnection\/conn proxyConfigRef: .*proxyConfig element with the id "theproxy"\. Did you mean "theProxy"\?/,
    /^proxyConfig\/theProxy basicAuthRef: .*authData element with the id "nothing2"/,
  ])

  const another = exampleElements(exampleIssuer, {
    oAuth: { authServerRef: 'other', jwtAuthenticationTokenRef: 'theTokenConfg' },
  })
  assertLines(await mistakesOf(t, another), [
    /^oAuthConfig\/theConfig authServerRef: .*authorizationServer element with the id "other"/,
    /^oAuthConfig\/theConfig jwtAuthenticationTokenRef: .*Did you mean "theTokenConfig"\?/,
  ])

  const byDefault = { ...exampleElements(exampleIssuer), sslDefault: { default: { sslRef: 'defaultSslConfig' } } }
  assertLines(await mistakesOf(t, byDefault), [/^sslDefault\/default sslRef: .*Did you mean "defaultSSLConfig"\?/])
})
