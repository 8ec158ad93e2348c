import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dependentConnections } from '../../../lib/configuration/dependents.ts'
import { kinds } from '../../../lib/configuration/element.ts'
import { elementSchemas } from '../../../lib/configuration/element-schema.ts'
import { fingerprintOf } from '../../../lib/configuration/fingerprint.ts'
import { resolveConnection } from '../../../lib/configuration/resolve-connection.ts'
import { localDeployment } from '../../support/elements/element-store.ts'
import { type RawElements, withoutUndefined } from '../../support/elements/elements.ts'
import { changeableElements } from '../../support/virtual/tokens-in-virtual-time.ts'

/** All kinds of elements, each reference with a second element to refer to instead. */
const theElements: RawElements = {
  endpointConnection: { conn: { authenticationConfigRef: 'theConfig' } },
  oAuthConfig: twins('theConfig', { authServerRef: 'theServer', jwtAuthenticationTokenRef: 'theTokenConfig' }),
  oAuthTokenConfig: twins('theTokenConfig', { tokenGeneratorRef: 'theBuilder', tokenSubject: 'theClient' }),
  authToken: { theAuthToken: { authServerRef: 'theServer', tokenResponse: { tokenPath: 'token' } } },
  authTokenLocal: { theLocalToken: { tokenGeneratorRef: 'theBuilder' } },
  authorizationServer: twins('theServer', {
    tokenEndpoint: 'https://as.example.com/token',
    issuer: 'https://as.example.com',
    sslCertsRef: 'theSsl',
  }),
  jwtBuilder: twins('theBuilder', { issuer: 'theClient', keyStoreRef: 'theKeys' }),
  awsWebIdentity: { theIdentity: { audience: 'https://as.example.com' } },
  keyStore: twins('theKeys', { location: 'tokenwell/local/the-keys' }),
  ssl: twins('theSsl', { trustStoreRef: 'theKeys' }),
  sslDefault: { default: { sslRef: 'theSsl' } },
  authData: twins('theUser', { user: 'theUser', passwordSecret: 'tokenwell/local/the-password' }),
  proxyConfig: twins('theProxy', { host: 'proxy.example.com', port: 3128 }),
}

function twins(id: string, element: Record<string, unknown>): Record<string, Record<string, unknown>> {
  return { [id]: element, [`${id}Twin`]: { ...element } }
}

type Attributes = Readonly<Record<string, unknown>>
type Change = Readonly<Record<string, Attributes>>

/** The first element of each kind, with these attributes. */
function changed(elements: RawElements, change: Change): RawElements {
  return Object.fromEntries(
    Object.entries(elements).map(([kind, byId]) => {
      const [[id, element] = ['', {}]] = Object.entries(byId)
      return [kind, { ...byId, [id]: { ...element, ...change[kind] } }]
    }),
  )
}

async function fingerprint(elements: RawElements): Promise<string> {
  const store = changeableElements(withoutUndefined(elements))
  return fingerprintOf(await resolveConnection(store, localDeployment, 'conn'))
}

const bySecret: Change = {
  oAuthConfig: { jwtAuthenticationTokenRef: undefined },
  authorizationServer: { basicAuthRef: 'theUser' },
}
const byDiscovery: Change = { authorizationServer: { tokenEndpoint: undefined } }
const byGrant: Change = {
  oAuthConfig: {
    ...{ grantType: 'jwt-bearer', assertionTokenRef: 'theTokenConfig', assertionParameters: { scope: 'text' } },
    jwtAuthenticationTokenRef: undefined,
  },
}
const byExchange: Change = {
  oAuthConfig: {
    ...{ grantType: 'token-exchange', subjectTokenRef: 'theTokenConfig', actorTokenRef: 'theTokenConfig' },
    jwtAuthenticationTokenRef: undefined,
  },
}
const byAuthToken: Change = { endpointConnection: { authenticationConfigRef: 'theAuthToken' } }
const withParameter: Change = {
  ...byAuthToken,
  authToken: { requestMay: { a: true }, tokenRequest: { parameterHeaders: { 'X-A': 'a' } } },
}
const byLocalToken: Change = { endpointConnection: { authenticationConfigRef: 'theLocalToken' } }
const byGeneratedKey: Change = { jwtBuilder: { jwkEnabled: true } }
const byWebIdentity: Change = { oAuthTokenConfig: { tokenGeneratorRef: 'theIdentity', tokenSubject: undefined } }
const byKms: Change = {
  keyStore: { location: 'kms:alias/tokenwell/local/the-key' },
  ssl: { trustStoreRef: 'theKeysTwin' },
}
const byProxy: Change = { authorizationServer: { proxyConfigRef: 'theProxy' } }
const bySharedKey: Change = { jwtBuilder: { signatureAlgorithm: 'HS256', sharedKey: 'tokenwell/local/shared' } }

interface Row {
  /** Whether another token may be issued, or the token may go to other callers. */
  readonly counts: boolean
  readonly to: unknown
  /** Other attributes that the attribute needs to have an effect. */
  readonly given?: Change
  /** Attributes that must change with it. */
  readonly with?: Change
}

const counts = (to: unknown, more: Partial<Row> = {}): Row => ({ counts: true, to, ...more })
const isNothing = (to: unknown, more: Partial<Row> = {}): Row => ({ counts: false, to, ...more })

const table: { readonly [K in keyof typeof elementSchemas]: Readonly<Record<string, Row>> } = {
  endpointConnection: {
    authenticationConfigRef: isNothing('theConfigTwin'),
    host: isNothing('https://api.example.com'),
    port: isNothing(8443, { given: { endpointConnection: { host: 'https://api.example.com' } } }),
    domainBasePath: isNothing('/v1', { given: { endpointConnection: { host: 'https://api.example.com' } } }),
    sslCertsRef: isNothing('theSslTwin', { given: { endpointConnection: { host: 'https://api.example.com' } } }),
    proxyConfigRef: isNothing('theProxy', { given: { endpointConnection: { host: 'https://api.example.com' } } }),
    connectionTimeout: isNothing('1s', { given: { endpointConnection: { host: 'https://api.example.com' } } }),
    receiveTimeout: isNothing('1s', { given: { endpointConnection: { host: 'https://api.example.com' } } }),
    disabled: isNothing(false),
    directInvocation: isNothing(true),
    clientCertificateSubjects: isNothing('CN=orders'),
    warm: isNothing(false),
    warmIdle: isNothing('2h'),
    warmVariants: isNothing(5),
    acceptedWarnings: isNothing('anything'),
  },
  oAuthConfig: {
    grantType: counts('password'),
    authServerRef: isNothing('theServerTwin'),
    clientAuthentication: isNothing('client_secret_post', {
      given: bySecret,
    }),
    clientId: counts('anotherClient', { given: byGrant }),
    jwtAuthenticationTokenRef: isNothing('theTokenConfigTwin'),
    jwtAuthenticationSetClientId: isNothing(true),
    tlsAuthenticationClientId: counts('tlsClient', {
      with: { oAuthConfig: { jwtAuthenticationTokenRef: undefined }, ssl: { keyStoreRef: 'theKeys' } },
    }),
    assertionTokenRef: isNothing('theTokenConfigTwin', { given: byGrant }),
    assertionParameters: counts({ scope: 'list' }, { given: byGrant }),
    claimsFromRequest: counts({ tenant: ['north'] }, { given: byGrant }),
    subjectTokenRef: isNothing('theTokenConfigTwin', { given: byExchange }),
    subjectTokenType: counts('id_token', { given: byExchange }),
    actorTokenRef: isNothing('theTokenConfigTwin', { given: byExchange }),
    actorTokenType: counts('id_token', { given: byExchange }),
    requestedTokenType: counts('jwt', { given: byExchange }),
    tokenRetryCheckLevel: isNothing(1),
    scope: counts('a'),
    resource: counts('https://api.example.com'),
    audience: counts('aud'),
    authorizationDetails: counts([{ type: 'payment' }]),
    parameters: counts({ tenant: 't' }),
    requestMay: counts({ audience: true }),
    passOn: counts(['instance_url']),
    hostFrom: counts({ member: 'instance_url', within: ['*.example.com'] }),
    defaultScope: counts('a', { given: { oAuthConfig: { requestMay: { scope: ['a', 'b'] }, defaultScope: 'b' } } }),
    acceptedWarnings: isNothing('anything'),
  },
  authToken: {
    authServerRef: isNothing('theServerTwin', { given: byAuthToken }),
    jwtAuthenticationTokenRef: counts('theTokenConfig', { given: byAuthToken }),
    tokenRequest: counts({ requestMethod: 'PUT' }, { given: byAuthToken }),
    tokenResponse: counts({ tokenPath: 'other' }, { given: byAuthToken }),
    requestMay: counts({ a: ['north'] }, { given: withParameter }),
    header: isNothing('X-Token', { given: byAuthToken }),
    useBearerScheme: isNothing(false, { given: byAuthToken }),
    cacheTokensWithJti: counts(true, { given: byAuthToken }),
    tokenRetryCheckLevel: isNothing(3, { given: byAuthToken }),
    acceptedWarnings: isNothing('anything', { given: byAuthToken }),
  },
  authTokenLocal: {
    tokenGeneratorRef: counts('theBuilderTwin', { given: byLocalToken }),
    tokenSubject: counts('alice', { given: byLocalToken }),
    claims: counts({ tenant: 't' }, { given: byLocalToken }),
    claimsFromRequest: counts({ tenant: ['north'] }, { given: byLocalToken }),
    header: isNothing('X-Token', { given: byLocalToken }),
    useBearerScheme: isNothing(false, { given: byLocalToken }),
    cacheTokensWithJti: counts(true, { given: byLocalToken }),
    tokenRetryCheckLevel: isNothing(3, { given: byLocalToken }),
    acceptedWarnings: isNothing('anything', { given: byLocalToken }),
  },
  oAuthTokenConfig: {
    acceptedWarnings: isNothing('anything'),
    tokenGeneratorRef: isNothing('theBuilderTwin'),
    tokenSubject: counts('anotherClient'),
    claims: counts({ tenant: 't' }),
  },
  authorizationServer: {
    tokenEndpoint: counts('https://as.example.com/token?tenant=t'),
    issuer: counts('https://other.example.com'),
    tokenEndpointHosts: counts('tokens.example.com', { given: byDiscovery }),
    sslCertsRef: isNothing('theSslTwin'),
    basicAuthRef: counts('theUser', { with: { oAuthConfig: { jwtAuthenticationTokenRef: undefined } } }),
    proxyConfigRef: isNothing('theProxy'),
    connectionTimeout: isNothing('1s'),
    receiveTimeout: isNothing('1s'),
    assumedLifetimeSeconds: counts(60),
    maximumLifetimeSeconds: counts(60),
    marginSeconds: counts(5),
    maximumConcurrency: isNothing(1),
    coolDownSeconds: isNothing(5),
    tokenTypes: isNothing('JWT'),
    scopeSeparator: counts(','),
    headers: counts({ 'X-Tenant': 't' }),
    parametersInQuery: counts('tenant'),
    allowLoopbackHttp: isNothing(true),
    acceptedWarnings: isNothing('anything'),
  },
  jwtBuilder: {
    issuer: counts('another'),
    audiences: counts(['https://other.example.com']),
    expiresInSeconds: isNothing('60s'),
    expiry: isNothing('1h'),
    nbfOffset: isNothing('5s'),
    issuedAtOffset: isNothing('5s'),
    jti: isNothing(false),
    scope: counts('a'),
    omit: counts('sub'),
    signatureAlgorithm: isNothing('ES256'),
    keyStoreRef: isNothing('theKeysTwin'),
    keyAlias: isNothing('another'),
    revokedKeys: isNothing(['a', 'b']),
    sharedKey: isNothing('tokenwell/local/other', { given: bySharedKey }),
    typ: isNothing('client-authentication+jwt'),
    certificateThumbprint: isNothing('x5t'),
    x5c: isNothing(true),
    header: counts({ tenant: 'blue' }),
    jwkEnabled: isNothing(true),
    jwkSigningKeySize: isNothing(3072, { given: byGeneratedKey }),
    jwkRotationTime: isNothing('48h', { given: byGeneratedKey }),
    publishAheadSeconds: isNothing(7_200, { given: byGeneratedKey }),
    acceptedWarnings: isNothing('anything'),
  },
  awsWebIdentity: {
    audience: counts('https://other.example.com', { given: byWebIdentity }),
    signingAlgorithm: isNothing('RS256', { given: byWebIdentity }),
    durationSeconds: isNothing(60, { given: byWebIdentity }),
    tags: counts({ team: 'orders' }, { given: byWebIdentity }),
    role: counts('connection', { given: byWebIdentity }),
    acceptedWarnings: isNothing('anything', { given: byWebIdentity }),
  },
  keyStore: {
    location: isNothing('tokenwell/local/other-keys'),
    kid: isNothing('theKid', { given: byKms }),
    certificate: isNothing('MIIB', { given: byKms }),
  },
  ssl: {
    keyStoreRef: isNothing('theKeysTwin'),
    trustStoreRef: isNothing('theKeysTwin'),
    sslProtocol: isNothing('TLSv1.3'),
    allowPartialTrustChain: isNothing(true),
  },
  sslDefault: {
    sslRef: isNothing('theSslTwin', { given: { authorizationServer: { sslCertsRef: undefined } } }),
  },
  authData: {
    user: counts('another', { given: bySecret }),
    passwordSecret: isNothing('tokenwell/local/another', { given: bySecret }),
  },
  proxyConfig: {
    host: isNothing('other.example.com', { given: byProxy }),
    port: isNothing(3129, { given: byProxy }),
    basicAuthRef: isNothing('theUser', { given: byProxy }),
    noProxy: isNothing(['as.example.com'], { given: byProxy }),
  },
}

test('the test names an outcome for each attribute of each element', () => {
  for (const [kind, { entries }] of Object.entries(elementSchemas))
    assert.deepEqual(Object.keys(table[kind as keyof typeof table]), Object.keys(entries), kind)
})

for (const [kind, rows] of Object.entries(table))
  for (const [attribute, row] of Object.entries(rows)) {
    const outcome = row.counts ? 'other elements' : 'the same elements'
    test(`${kind} with another ${attribute} counts as ${outcome}`, async () => {
      const before = changed(theElements, row.given ?? {})
      const first = before[kind]?.[Object.keys(before[kind])[0] ?? '']
      assert.notDeepEqual(first?.[attribute], row.to)
      const after = changed(changed(before, { [kind]: { [attribute]: row.to } }), row.with ?? {})
      const same = (await fingerprint(before)) === (await fingerprint(after))
      assert.equal(same, !row.counts)
    })
  }

/** Of a token that Tokenwell signs, nearly everything in its jwtBuilder changes what the API gets, or how long it is handed out. */
const ofLocalToken: Readonly<Record<string, Readonly<Record<string, Row>>>> = {
  jwtBuilder: {
    issuer: counts('another'),
    audiences: counts(['https://other.example.com']),
    expiresInSeconds: counts('60s'),
    expiry: counts('1h'),
    nbfOffset: counts('5s'),
    issuedAtOffset: counts('5s'),
    jti: counts(false),
    scope: counts('a'),
    omit: counts('aud'),
    signatureAlgorithm: counts('ES256'),
    keyStoreRef: isNothing('theKeysTwin'),
    keyAlias: counts('another'),
    revokedKeys: counts(['a', 'b']),
    sharedKey: counts('tokenwell/local/other', { given: bySharedKey }),
    typ: counts('none'),
    certificateThumbprint: counts('x5t'),
    x5c: counts(true),
    header: counts({ tenant: 'blue' }),
    jwkEnabled: counts(true),
    jwkSigningKeySize: isNothing(3072, { given: byGeneratedKey }),
    jwkRotationTime: isNothing('48h', { given: byGeneratedKey }),
    publishAheadSeconds: isNothing(7_200, { given: byGeneratedKey }),
    acceptedWarnings: isNothing('anything'),
  },
  keyStore: {
    location: counts('tokenwell/local/other-keys'),
    kid: counts('theKid', { given: byKms }),
    certificate: counts('MIIB', { given: byKms }),
  },
}
for (const [kind, rows] of Object.entries(ofLocalToken))
  for (const [attribute, { to, given = {}, counts: isOther }] of Object.entries(rows))
    test(`a local token with another ${attribute} of its ${kind} counts as ${isOther ? 'other elements, and the connection is told' : 'the same elements'}`, async () => {
      const before = changed(changed(theElements, byLocalToken), given)
      const after = changed(before, { [kind]: { [attribute]: to } })
      assert.equal((await fingerprint(before)) === (await fingerprint(after)), !isOther)
      const store = changeableElements(withoutUndefined(before))
      const [id = ''] = await store.ids(kind as 'jwtBuilder' | 'keyStore')
      if (isOther) assert.deepEqual(await dependentConnections(store, { kind: kind as 'keyStore', id }), ['conn'])
    })

test('the rows of a local token name each attribute of a jwtBuilder', () => {
  const { jwtBuilder } = elementSchemas
  assert.deepEqual(Object.keys(ofLocalToken['jwtBuilder'] ?? {}), Object.keys(jwtBuilder.entries))
})

/** The members of the request and of the answer of an `authToken`, from one value to another. */
const ofAuthToken: Readonly<
  Record<'tokenRequest' | 'tokenResponse', Readonly<Record<string, readonly [Attributes, Attributes]>>>
> = {
  tokenRequest: {
    requestMethod: [{}, { requestMethod: 'PUT' }],
    credentialLocation: [
      { requestBody: { a: 'b', user: { user: true } } },
      { requestBody: { a: 'b', user: { user: true }, password: { password: true } }, credentialLocation: 'body' },
    ],
    credentialsFrom: [{}, { credentialsFrom: 'caller' }],
    header: [{}, { header: 'X-Login' }],
    userHeader: [
      { userHeader: 'X-A', passwordHeader: 'X-B' },
      { userHeader: 'X-C', passwordHeader: 'X-B' },
    ],
    passwordHeader: [
      { userHeader: 'X-A', passwordHeader: 'X-B' },
      { userHeader: 'X-A', passwordHeader: 'X-C' },
    ],
    parameterHeaders: [{ parameterHeaders: { 'X-A': 'a' } }, { parameterHeaders: { 'X-B': 'a' } }],
    requestBody: [{ requestBody: { a: [{ b: 'c' }] } }, { requestBody: { a: [{ b: 'd' }] } }],
    bodyFormat: [{ requestBody: { a: 'b' } }, { requestBody: { a: 'b' }, bodyFormat: 'form' }],
  },
  tokenResponse: {
    tokenLocation: [
      { responseFormat: 'Text', header: 'X-Token' },
      { responseFormat: 'Text', header: 'X-Token', tokenLocation: 'header' },
    ],
    responseFormat: [{ tokenPath: 'a' }, { responseFormat: 'Text' }],
    tokenPath: [{ tokenPath: 'a.b' }, { tokenPath: 'a.c' }],
    header: [
      { tokenLocation: 'header', header: 'X-A' },
      { tokenLocation: 'header', header: 'X-B' },
    ],
    expiresPath: [
      { tokenPath: 'a', expiresPath: 'b' },
      { tokenPath: 'a', expiresPath: 'c' },
    ],
    expiresHeader: [
      { tokenPath: 'a', expiresHeader: 'b' },
      { tokenPath: 'a', expiresHeader: 'c' },
    ],
  },
}
for (const attribute of ['tokenRequest', 'tokenResponse'] as const) {
  for (const [member, [from, to]] of Object.entries(ofAuthToken[attribute]))
    test(`another ${member} in the ${attribute} of an authToken counts as other elements`, async () => {
      // The credentials of callers are a mistake beside a user of the elements.
      const authorizationServer = member === 'credentialsFrom' ? {} : { basicAuthRef: 'theUser' }
      const requestMay = member === 'parameterHeaders' && { requestMay: { a: true } }
      const withIt = (value: Attributes) =>
        changed(theElements, { ...byAuthToken, authorizationServer, authToken: { [attribute]: value, ...requestMay } })
      assert.notEqual(await fingerprint(withIt(from)), await fingerprint(withIt(to)))
    })

  test(`the rows of ${attribute} name each of its members`, () => {
    const { wrapped } = elementSchemas.authToken.entries[attribute]
    assert.deepEqual(Object.keys(ofAuthToken[attribute]), Object.keys(wrapped.entries))
  })
}

test('every attribute that counts is in an element that the connection is known to depend on', async () => {
  for (const kind of kinds)
    for (const [attribute, { counts, given = {} }] of Object.entries(table[kind])) {
      const store = changeableElements(withoutUndefined(changed(theElements, given)))
      const [id = ''] = await store.ids(kind)
      if (counts) assert.deepEqual(await dependentConnections(store, { kind, id }), ['conn'], `${kind} ${attribute}`)
    }
})

test('the same elements have the same fingerprint, whatever the order of their members', async () => {
  const claims = { a: 1, nested: { x: [1, { p: 1, q: 2 }], y: true }, '2': 'two', '1': 'one' }
  const turned = { '1': 'one', '2': 'two', nested: { y: true, x: [1, { q: 2, p: 1 }] }, a: 1 }
  const parameters = { tenant: 't', realm: 'r' }
  const one = changed(theElements, {
    oAuthTokenConfig: { claims },
    oAuthConfig: { parameters, requestMay: { a: true, b: ['x'] } },
  })
  const reordered = { realm: 'r', tenant: 't' }
  const other = changed(theElements, {
    oAuthTokenConfig: { claims: turned },
    oAuthConfig: { parameters: reordered, requestMay: { b: ['x'], a: true } },
  })
  const backwards = Object.fromEntries(Object.entries(other).reverse())
  assert.equal(await fingerprint(one), await fingerprint(other))
  assert.equal(await fingerprint(one), await fingerprint(backwards))
})

test('claims that differ at any depth have another fingerprint', async () => {
  const all = [{}, { a: 1 }, { a: '1' }, { a: [1, 2] }, { a: [2, 1] }, { a: { b: 1 } }, { a: { b: 2 } }]
  const fingerprints = await Promise.all(
    all.map((claims) => fingerprint(changed(theElements, { oAuthTokenConfig: { claims } }))),
  )
  assert.equal(new Set(fingerprints).size, all.length)
})

test('the subject, issuer, claims and kind of a grant count, and so does whether the client authenticates with it', async () => {
  const before = changed(theElements, byGrant)
  const all = [
    theElements,
    before,
    changed(before, { oAuthTokenConfig: { tokenSubject: 'alice' } }),
    changed(before, { oAuthTokenConfig: { tokenSubject: undefined } }),
    changed(before, { oAuthTokenConfig: { claims: { tenant: 't' } } }),
    changed(before, { jwtBuilder: { issuer: 'another' } }),
    changed(before, { jwtBuilder: { audiences: 'https://other.example.com' } }),
    changed(before, { oAuthConfig: { jwtAuthenticationTokenRef: 'theTokenConfig' } }),
  ]
  assert.equal(new Set(await Promise.all(all.map(fingerprint))).size, all.length)
})

test('the claims of each token of an exchange count, and so does whether there is an actor', async () => {
  const before = changed(theElements, byExchange)
  const exchange = byExchange['oAuthConfig']
  const all = [
    before,
    changed(before, { oAuthConfig: { ...exchange, actorTokenRef: undefined } }),
    changed(before, { oAuthTokenConfig: { tokenSubject: 'alice' } }),
    changed(before, { jwtBuilder: { issuer: 'another' } }),
    changed(theElements, {
      ...byGrant,
      oAuthConfig: { ...byGrant['oAuthConfig'], assertionParameters: undefined },
    }),
  ]
  assert.equal(new Set(await Promise.all(all.map(fingerprint))).size, all.length)
})

test('a fingerprint shows nothing of the elements', async () => {
  assert.match(await fingerprint(theElements), /^[A-Za-z0-9_-]{43}$/)
})

test('a change of meaning makes another fingerprint of the connections that it concerns', async () => {
  const connection = await resolveConnection(changeableElements(withoutUndefined(theElements)), localDeployment, 'conn')
  const all = [[], ['other claims'], ['further claims'], ['other claims', 'further claims']]
  assert.equal(new Set(all.map((changes) => fingerprintOf(connection, changes))).size, all.length)
})

test('without such a change, the fingerprint of the same elements is the one of earlier versions', async () => {
  assert.equal(await fingerprint(theElements), 'iGkahu6C7FDUxI2VLxETlA3MDAhINlEapq73_UoqS4s')
})

test('the names, texts and secret names of headers count, and the case of a name does not', async () => {
  const all = [
    { 'x-key': 'a' },
    { 'x-key': 'b' },
    { 'x-other': 'a' },
    { 'x-key': { secret: 'tokenwell/local/a' } },
    { 'x-key': { secret: 'tokenwell/local/b' } },
  ].map((headers) => changed(theElements, { authorizationServer: { headers } }))
  assert.equal(new Set(await Promise.all(all.map(fingerprint))).size, all.length)
  const upper = changed(theElements, { authorizationServer: { headers: { 'X-Key': 'a' } } })
  assert.equal(await fingerprint(upper), await fingerprint(all[0] ?? {}))
  const none = changed(theElements, { authorizationServer: { headers: {} } })
  assert.equal(await fingerprint(none), await fingerprint(theElements))
})

test('the host of the API counts where Tokenwell signs a token for it: the key may list other hosts', async () => {
  const forHost = (authenticationConfigRef: readonly string[]) => (host: string) =>
    fingerprint(
      changed(theElements, {
        endpointConnection: { authenticationConfigRef, host },
        authTokenLocal: { header: 'X-Local' },
      }),
    )
  const hosts = ['https://api.example.com', 'https://other.example.com']
  const sizes = [['theLocalToken'], ['theConfig', 'theLocalToken'], ['theConfig']].map(async (named) => {
    const all = await Promise.all(hosts.map(forHost(named)))
    return new Set(all).size
  })
  assert.deepEqual(await Promise.all(sizes), [2, 2, 1])
})

test('each token of a connection counts, and the order of those beside the main one does not', async () => {
  const local = { theLocalToken: { tokenGeneratorRef: 'theBuilder', header: 'X-Local' } }
  const session = {
    theAuthToken: { authServerRef: 'theServer', header: 'X-Session', tokenResponse: { tokenPath: 'token' } },
  }
  const named = (authenticationConfigRef: string | readonly string[], more: RawElements = {}) =>
    fingerprint({
      ...theElements,
      authToken: session,
      authTokenLocal: local,
      ...more,
      endpointConnection: { conn: { authenticationConfigRef } },
    })
  const all = [
    await named('theConfig'),
    await named(['theConfig', 'theAuthToken']),
    await named(['theConfig', 'theLocalToken']),
    await named(['theConfig', 'theAuthToken', 'theLocalToken']),
    await named(['theAuthToken', 'theLocalToken']),
    await named(['theLocalToken', 'theAuthToken']),
    await named(['theConfig', 'theLocalToken'], {
      authTokenLocal: { theLocalToken: { ...local.theLocalToken, cacheTokensWithJti: true } },
    }),
  ]
  assert.equal(new Set(all).size, all.length)
  assert.equal(all[0], await fingerprint(theElements), 'its only token')
  assert.equal(await named(['theConfig']), all[0])
  assert.equal(await named(['theConfig', 'theLocalToken', 'theAuthToken']), all[3])
  assert.equal(await named(['theLocalToken', 'theConfig', 'theAuthToken']), all[3], 'the OAuth token is the main one')
})
