import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { connectionsByCertificate, dependentConnections } from '../../../lib/configuration/dependents.ts'
import { type ElementReference, type Kind, kinds } from '../../../lib/configuration/element.ts'
import type { ElementStore } from '../../../lib/configuration/element-store.ts'
import { ElementStoreError } from '../../../lib/configuration/element-store.ts'
import { elementStoreOf } from '../../support/elements/element-store.ts'
import type { RawElements } from '../../support/elements/elements.ts'

/**
 * `one` and `two` share a configuration. `three` has another one with the same client, and `basic` has its own client. `several` has two
 * tokens that are not OAuth, and `user` has none.
 */
const theElements: RawElements = {
  endpointConnection: {
    one: { authenticationConfigRef: 'shared' },
    two: { authenticationConfigRef: 'shared' },
    three: { authenticationConfigRef: 'own' },
    basic: { authenticationConfigRef: 'basic' },
    several: { authenticationConfigRef: ['session', 'signed'] },
    user: { authenticationConfigRef: 'apiUser', host: 'https://api.example.com' },
  },
  authToken: {
    session: {
      authServerRef: 'sessionServer',
      jwtAuthenticationTokenRef: 'byAws',
      header: 'x-session',
      tokenResponse: { tokenLocation: 'body', responseFormat: 'Text' },
    },
  },
  authTokenLocal: { signed: { tokenGeneratorRef: 'signingBuilder', header: 'x-signed' } },
  oAuthConfig: {
    shared: { authServerRef: 'theServer', jwtAuthenticationTokenRef: 'theClient' },
    own: { authServerRef: 'otherServer', jwtAuthenticationTokenRef: 'theClient' },
    basic: { authServerRef: 'basicServer' },
    unused: { authServerRef: 'theServer', jwtAuthenticationTokenRef: 'unused' },
  },
  oAuthTokenConfig: {
    theClient: { tokenGeneratorRef: 'theBuilder', tokenSubject: 'theClient' },
    unused: { tokenGeneratorRef: 'theBuilder', tokenSubject: 'nobody' },
    byAws: { tokenGeneratorRef: 'theIdentity' },
  },
  authorizationServer: {
    theServer: { tokenEndpoint: 'https://as.example.com/token' },
    otherServer: {
      tokenEndpoint: 'https://other.example.com/token',
      sslCertsRef: 'defaultSSLConfig',
      proxyConfigRef: 'theProxy',
    },
    basicServer: { tokenEndpoint: 'https://basic.example.com/token', basicAuthRef: 'theUser' },
    sessionServer: { tokenEndpoint: 'https://session.example.com/token', basicAuthRef: 'sessionUser' },
  },
  jwtBuilder: {
    theBuilder: { keyStoreRef: 'defaultKeyStore' },
    signingBuilder: { keyStoreRef: 'defaultKeyStore', issuer: 'me' },
  },
  awsWebIdentity: { theIdentity: { audience: 'https://session.example.com' } },
  authData: {
    theUser: { user: 'u', passwordSecret: 'tokenwell/local/p' },
    sessionUser: { user: 's', passwordSecret: 'tokenwell/local/s' },
    apiUser: { user: 'a', passwordSecret: 'tokenwell/local/a' },
  },
  keyStore: { defaultKeyStore: { location: 'tokenwell/local/k' } },
  ssl: { defaultSSLConfig: { trustStoreRef: 'defaultKeyStore' } },
  sslDefault: { default: { sslRef: 'defaultSSLConfig' } },
  proxyConfig: { theProxy: { host: 'proxy.example.com', port: 3128, basicAuthRef: 'theUser' } },
}

interface Recorded {
  readonly names: readonly string[]
  /** The kinds that were listed, in order. */
  readonly listed: readonly Kind[]
  /** The references of each read. */
  readonly reads: readonly (readonly ElementReference[])[]
  readonly readsAtOnce: number
}

async function dependOn(
  t: TestContext,
  changed: ElementReference,
  elements: RawElements = theElements,
): Promise<Recorded> {
  const store = await elementStoreOf(t, elements)
  const listed: Kind[] = []
  const reads: (readonly ElementReference[])[] = []
  let [underWay, readsAtOnce] = [0, 0]
  const recording: ElementStore = {
    ids(kind) {
      listed.push(kind)
      return store.ids(kind)
    },
    async get(references) {
      reads.push(references)
      readsAtOnce = Math.max(readsAtOnce, ++underWay)
      const found = await store.get(references)
      underWay -= 1
      return found
    },
    findings: () => assert.fail('the whole is not looked at'),
  }
  const names = [...(await dependentConnections(recording, changed))].sort()
  return { names, listed, reads, readsAtOnce }
}

const rows: readonly (readonly [string, Kind, string, readonly string[]])[] = [
  ['a configuration that two connections share', 'oAuthConfig', 'shared', ['one', 'two']],
  ['a configuration of one connection', 'oAuthConfig', 'own', ['three']],
  ['a configuration of none', 'oAuthConfig', 'unused', []],
  ['an authorization server', 'authorizationServer', 'otherServer', ['three']],
  ['a client of two configurations', 'oAuthTokenConfig', 'theClient', ['one', 'three', 'two']],
  ['a client to which only an unused configuration refers', 'oAuthTokenConfig', 'unused', []],
  ['a jwtBuilder, three references away', 'jwtBuilder', 'theBuilder', ['one', 'three', 'two']],
  ['the name of a client, three references away', 'authData', 'theUser', ['basic']],
  ['an authToken', 'authToken', 'session', ['several']],
  ['the server of an authToken', 'authorizationServer', 'sessionServer', ['several']],
  ['the user of an authToken', 'authData', 'sessionUser', ['several']],
  ['an awsWebIdentity, three references away', 'awsWebIdentity', 'theIdentity', ['several']],
  ['an authTokenLocal', 'authTokenLocal', 'signed', ['several']],
  ['the jwtBuilder of an authTokenLocal', 'jwtBuilder', 'signingBuilder', ['several']],
  ['the key store of an authTokenLocal', 'keyStore', 'defaultKeyStore', ['several']],
  ['the user that authenticates API calls', 'authData', 'apiUser', ['user']],
  ['an id in another case', 'oAuthConfig', 'Shared', []],
  ['a server with the id of a client', 'authorizationServer', 'theClient', []],
  ['a connection', 'endpointConnection', 'one', ['one']],
  ['a connection that is gone', 'endpointConnection', 'gone', ['gone']],
]
for (const [what, kind, id, names] of rows)
  test(`the connections that depend on ${what}: ${names.join(', ') || 'none'}`, async (t) => {
    assert.deepEqual((await dependOn(t, { kind, id })).names, names)
  })

test('connections are found by references to a deleted element', async (t) => {
  for (const [kind, id, names] of [
    ['oAuthConfig', 'shared', ['one', 'two']],
    ['jwtBuilder', 'theBuilder', ['one', 'three', 'two']],
  ] as const) {
    const { [id]: _gone, ...rest } = theElements[kind] ?? {}
    assert.deepEqual((await dependOn(t, { kind, id }, { ...theElements, [kind]: rest })).names, names)
  }
})

const readFor: Readonly<Record<Kind, readonly Kind[]>> = {
  jwtBuilder: ['oAuthTokenConfig', 'authTokenLocal', 'authToken', 'oAuthConfig', 'endpointConnection'],
  authData: ['authorizationServer', 'authToken', 'oAuthConfig', 'endpointConnection'],
  oAuthTokenConfig: ['authToken', 'oAuthConfig', 'endpointConnection'],
  authorizationServer: ['authToken', 'oAuthConfig', 'endpointConnection'],
  oAuthConfig: ['endpointConnection'],
  authToken: ['endpointConnection'],
  authTokenLocal: ['endpointConnection'],
  endpointConnection: [],
  awsWebIdentity: ['oAuthTokenConfig', 'authToken', 'oAuthConfig', 'endpointConnection'],
  keyStore: ['ssl', 'jwtBuilder', 'authTokenLocal', 'endpointConnection'],
  ssl: ['sslDefault', 'authorizationServer', 'authToken', 'oAuthConfig', 'endpointConnection'],
  sslDefault: ['authorizationServer', 'authToken', 'oAuthConfig', 'endpointConnection'],
  proxyConfig: [],
}
for (const kind of kinds)
  test(`a change of ${kind} reads: ${readFor[kind].join(', ') || 'no elements'}`, async (t) => {
    const [id = ''] = Object.keys(theElements[kind] ?? {})
    const { listed, reads } = await dependOn(t, { kind, id })
    assert.equal(new Set(listed).size, listed.length, 'a kind is read twice')
    assert.deepEqual(listed, readFor[kind])
    assert.deepEqual(
      reads.map((read) => read.map(({ kind: each, id: name }) => `${each}/${name}`)),
      readFor[kind].map((each) => Object.keys(theElements[each] ?? {}).map((name) => `${each}/${name}`)),
    )
  })

/** The default `ssl` and a named one each present a certificate. `own` uses the named one. */
const withCertificates: RawElements = {
  ...theElements,
  authorizationServer: {
    theServer: { tokenEndpoint: 'https://as.example.com/token' },
    otherServer: { tokenEndpoint: 'https://other.example.com/token', sslCertsRef: 'named' },
    basicServer: { tokenEndpoint: 'https://basic.example.com/token', sslCertsRef: 'plain' },
  },
  keyStore: {
    defaultKeyStore: { location: 'tokenwell/local/k' },
    byDefault: { location: 'tokenwell/local/default-certificate' },
    byName: { location: 'tokenwell/local/named-certificate' },
    trust: { location: 'tokenwell/local/trust' },
  },
  ssl: {
    usual: { keyStoreRef: 'byDefault' },
    named: { keyStoreRef: 'byName', trustStoreRef: 'trust' },
    plain: { trustStoreRef: 'trust' },
  },
  sslDefault: { default: { sslRef: 'usual' } },
}

for (const [kind, id, names] of [
  ['keyStore', 'byDefault', ['one', 'two']],
  ['keyStore', 'byName', ['three']],
  ['keyStore', 'trust', []],
  ['ssl', 'usual', ['one', 'two']],
  ['ssl', 'named', ['three']],
  ['sslDefault', 'default', ['one', 'two']],
  ['sslDefault', 'other', []],
  ['proxyConfig', 'theProxy', []],
] as const)
  test(`a change of ${kind}/${id} may change the client certificate of: ${names.join(', ') || 'none'}`, async (t) => {
    assert.deepEqual((await dependOn(t, { kind, id }, withCertificates)).names, names)
  })

test('the connections of a certificate are found by its secret, over named and default elements', async (t) => {
  const store = await elementStoreOf(t, withCertificates)
  const namesBy = async (secret: string) =>
    [...(await connectionsByCertificate(store, `tokenwell/local/${secret}`))].sort()
  assert.deepEqual(await namesBy('named-certificate'), ['three'])
  assert.deepEqual(await namesBy('default-certificate'), ['one', 'two'])
  for (const secret of ['trust', 'k', 'p']) assert.deepEqual(await namesBy(secret), [], secret)
})

test('without sslDefault, defaultSSLConfig is the ssl element of servers that name none', async (t) => {
  const { sslDefault: _none, ...rest } = withCertificates
  const ssl = { defaultSSLConfig: { keyStoreRef: 'byDefault' } }
  const store = await elementStoreOf(t, { ...rest, ssl })
  const names = await connectionsByCertificate(store, 'tokenwell/local/default-certificate')
  assert.deepEqual([...names].sort(), ['one', 'two'])
})

test('for an element without references to it, only the kinds that could refer to it are read', async (t) => {
  const { names, listed } = await dependOn(t, { kind: 'jwtBuilder', id: 'unused' })
  assert.deepEqual(names, [])
  assert.deepEqual(listed, ['oAuthTokenConfig', 'authTokenLocal'])
})

test('a connection over an element with a mistake is left out, and the others are found', async (t) => {
  for (const mistake of [{ scop: 'a' }, { authServerRef: undefined }, { jwtAuthenticationTokenRef: ['theClient'] }]) {
    const own = { ...theElements['oAuthConfig']?.['own'], ...mistake }
    const elements = { ...theElements, oAuthConfig: { ...theElements['oAuthConfig'], own } }
    const { names } = await dependOn(t, { kind: 'jwtBuilder', id: 'theBuilder' }, elements)
    assert.deepEqual(names, ['one', 'two'], JSON.stringify(mistake))
  }
})

test('250 elements are read once each, at most 100 at a time', async (t) => {
  const ids = Array.from({ length: 250 }, (_, index) => `conn-${index}`)
  const many = Object.fromEntries(ids.map((id) => [id, { authenticationConfigRef: 'shared' }]))
  const elements = { ...theElements, endpointConnection: many }
  const { names, reads, readsAtOnce } = await dependOn(t, { kind: 'oAuthConfig', id: 'shared' }, elements)
  assert.deepEqual(names, [...ids].sort())
  assert.deepEqual(
    reads.map(({ length }) => length),
    [100, 100, 50],
  )
  assert.equal(readsAtOnce, 1)
})

test('an element that is deleted between list and read is left out', async (t) => {
  const store = await elementStoreOf(t, theElements)
  const late = { ...store, ids: async (kind: Kind) => ['gone', ...(await store.ids(kind))] }
  assert.deepEqual(await dependentConnections(late, { kind: 'oAuthConfig', id: 'own' }), ['three'])
})

test("elements that can't be read are an error, not a missing connection", async (t) => {
  const store = await elementStoreOf(t, theElements)
  const fault = new ElementStoreError('elements_throttled', 'later')
  for (const faulty of [
    { ...store, ids: () => Promise.reject(fault) },
    { ...store, get: () => Promise.reject(fault) },
  ])
    await assert.rejects(dependentConnections(faulty, { kind: 'oAuthConfig', id: 'own' }), fault)
})
