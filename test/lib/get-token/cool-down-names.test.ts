import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LocatedConnection, ServedConnection } from '../../../lib/configuration/connection.ts'
import { coolDownNames, type NamedRequest, passwordQuotaNames } from '../../../lib/get-token/cool-down-names.ts'
import { createSecretCache } from '../../../lib/secret/secret-cache.ts'
import { plainAssertion, plainConnection } from '../../support/elements/plain-connection.ts'
import { createVirtualSecrets } from '../../support/virtual/secret-stores.ts'

const server = {
  ...plainConnection.authorizationServer,
  tls: { minimumVersion: 'TLSv1.2', trustStore: 'the-trust', clientCertificate: 'the-certificate' },
  proxy: { id: 'p', host: 'proxy.example', port: 3128, credentials: { user: 'u', passwordSecret: 'the-proxy' } },
} as const
const context: NamedRequest = {
  connection: { ...plainConnection, authorizationServer: server },
  request: { connection: 'conn', scope: ['a'], further: {} },
  parameters: { scope: ['a'], resource: [], further: {} },
  deadline: 0,
  caller: 'one',
  isOwn: false,
  fingerprint: 'f1',
}
const secretNames = [
  'the-trust',
  'the-certificate',
  'the-proxy',
  'tokenwell/test/the-key',
  'the-password',
  'the-header',
]

/** @param others the new contents of secrets that have changed */
async function namesOf(request: NamedRequest, others: Readonly<Record<string, string | undefined>> = {}) {
  const secrets = createVirtualSecrets()
  for (const name of secretNames) {
    const text = name in others ? others[name] : `content of ${name}`
    if (text !== undefined) secrets.put(name, text)
  }
  return await coolDownNames(
    request,
    createSecretCache(secrets, () => 0),
  )
}

const withConnection = (changes: Partial<LocatedConnection>): NamedRequest => ({
  ...context,
  connection: { ...context.connection, ...changes },
})
const withServer = (changes: Partial<LocatedConnection['authorizationServer']>): NamedRequest =>
  withConnection({ authorizationServer: { ...server, ...changes } })

/** The kinds whose names differ between a request and the one above. */
async function changed(request: NamedRequest, others: Readonly<Record<string, string | undefined>> = {}) {
  const [before, after] = [await namesOf(context), await namesOf(request, others)]
  return Object.entries(after).flatMap(([kind, name]) => (name === before[kind as keyof typeof before] ? [] : [kind]))
}

const ofClient = ['client', 'connection', 'variants']

test('a name changes with what it covers, and with nothing else', async () => {
  const shared = { method: 'client_secret_jwt', sendClientId: false, assertion: plainAssertion() } as const
  const rows: readonly (readonly [string, NamedRequest, readonly string[]])[] = [
    ['nothing', context, []],
    ['token endpoint', withServer({ tokenEndpoint: 'https://b.example/' }), ['way', 'endpoint', ...ofClient]],
    ['proxy', withServer({ proxy: { ...server.proxy, port: 8080 } }), ['way']],
    ['proxy without password', withServer({ proxy: { id: 'p', host: 'proxy.example', port: 3128 } }), ['way']],
    ['TLS version', withServer({ tls: { ...server.tls, minimumVersion: 'TLSv1.3' } }), ['way']],
    ['time to connect', withServer({ connectTimeoutMilliseconds: 1 }), ['way']],
    ['time to answer', withServer({ receiveTimeoutMilliseconds: 1 }), []],
    ['concurrency', withServer({ maximumConcurrency: 1 }), []],
    ['headers', withServer({ headers: { 'x-tenant': 't' } }), ofClient],
    ['client', withConnection({ clientId: 'another' }), ofClient],
    ['authentication', withConnection({ clientAuthentication: shared }), ofClient],
    ['elements', { ...context, fingerprint: 'f2' }, ['connection', 'token']],
    ['connection', withConnection({ name: 'other' }), ['connection', 'caller']],
    ['scope', { ...context, request: { ...context.request, scope: ['b'] } }, ['token']],
    ['caller', { ...context, caller: 'two' }, ['variants', 'caller']],
  ]
  for (const [what, request, kinds] of rows) assert.deepEqual(await changed(request), kinds, what)
})

test('new contents of a secret change the names of the things that depend on it', async () => {
  const withPassword = withConnection({
    clientAuthentication: { method: 'client_secret_basic', passwordSecret: 'the-password' },
  })
  const rows: readonly (readonly [string, NamedRequest, readonly string[]])[] = [
    ['the-trust', context, ['way']],
    ['the-proxy', context, ['way']],
    ['the-certificate', context, ['way', ...ofClient]],
    ['the-certificate', withConnection({ clientAuthentication: { method: 'tls_client_auth' } }), ['way', ...ofClient]],
    ['tokenwell/test/the-key', context, ofClient],
    [
      'tokenwell/test/the-key',
      withConnection({
        clientAuthentication: { method: 'client_secret_jwt', sendClientId: false, assertion: plainAssertion() },
      }),
      ofClient,
    ],
    ['the-password', withPassword, ofClient],
    ['the-header', withServer({ headers: { 'x-key': { secret: 'the-header' } } }), ofClient],
  ]
  for (const [secret, request, kinds] of rows)
    for (const content of ['another', undefined]) {
      const [before, after] = [await namesOf(request), await namesOf(request, { [secret]: content })]
      const differing = (Object.keys(after) as (keyof typeof after)[]).filter((kind) => after[kind] !== before[kind])
      assert.deepEqual(differing, kinds, `${secret} ${content}`)
    }
})

test('no name holds the contents of a secret, and names of two kinds are never equal', async () => {
  const names = await namesOf(context)
  for (const [kind, name] of Object.entries(names)) {
    assert.ok(name.startsWith(`${kind} `), name)
    assert.ok(!name.includes('content of'), name)
  }
})

test('the names of an own request depend on no caller parameters', async () => {
  const names = await namesOf({ ...context, isOwn: true })
  assert.deepEqual(Object.keys(names), ['way', 'endpoint', 'client', 'connection', 'token'])
  assert.deepEqual(names, await namesOf({ ...context, isOwn: true, caller: 'two' }))
})

/** The names under which guesses of a user's password count: one for the caller, and one for all callers. */
const quotasOf = (username: string, { caller = 'one', connection = context.connection } = {}) =>
  passwordQuotaNames(connection, { ...context.request, username }, caller).map(({ name }) => name)

test('all names that a server may take for the same user count as one', () => {
  const spellings = [
    ...[
      'Straße',
      'STRASSE',
      'STRAẞE',
      ' stra\u200bsse',
      'ｓｔｒａｓｓｅ',
      'str\u0061\u0301sse',
      's\u00a0t \t r\u0000asse',
    ],
  ]
  for (const spelling of spellings) assert.deepEqual(quotasOf(spelling), quotasOf('strasse'), spelling)
  for (const [one, other] of [
    ['ΟΔΥΣΣΕΥΣ', 'οδυσσευς'],
    ['οδυσσευσ', 'οδυσσευς'],
    ['DIYARBAKIR', 'dıyarbakır'],
    ['DİYARBAKIR', 'diyarbakir'],
  ] as const)
    assert.deepEqual(quotasOf(one), quotasOf(other), one)
})

test('guesses count for each user and token endpoint, and also for each caller', () => {
  const [ofCaller, ofAll] = quotasOf('alice')
  assert.notEqual(ofCaller, ofAll)
  const elsewhere = { connection: withServer({ tokenEndpoint: 'https://b.example/' }).connection }
  for (const others of [quotasOf('bob'), quotasOf('alice', elsewhere)])
    assert.ok(!others.includes(ofCaller ?? '') && !others.includes(ofAll ?? ''))
  assert.deepEqual(quotasOf('alice', { connection: withConnection({ name: 'other', clientId: 'c' }).connection }), [
    ofCaller,
    ofAll,
  ])
  const [ofTwo, ...rest] = quotasOf('alice', { caller: 'two' })
  assert.notEqual(ofTwo, ofCaller)
  assert.deepEqual(rest, [ofAll])
  const all = [ofCaller ?? '', ofAll ?? '']
  assert.ok(all.every((name) => name.startsWith('user ')))
})

test('the failures of a caller at one token of a connection do not count at another', async () => {
  const further = withConnection({ authentication: { kind: 'oAuthConfig', id: 'another' }, isFurther: true })
  assert.deepEqual(await changed(further), ['caller'], 'the same client at the same endpoint')
  const request = { ...further.request, authentication: 'another' }
  assert.deepEqual(await changed({ ...further, request }), ['token', 'caller'])
})

test('the names of a server that describes itself go by its issuer, and do not change when its endpoint is known', async () => {
  const { tokenEndpoint: _written, ...settings } = server
  const issuer = 'https://as.example.com'
  const discovered = { ...settings, issuer, discovery: { hosts: [], noProxy: [] } }
  const namesAt = async (authorizationServer: ServedConnection['authorizationServer']) =>
    await namesOf({ ...context, connection: { ...context.connection, authorizationServer } })
  const names = await namesAt(discovered)
  assert.equal(names.endpoint, 'endpoint [{"issuer":"https://as.example.com"}]')
  assert.match(names.way ?? '', /^way \[\{"issuer"/)
  assert.match(names.client ?? '', /^client \[\{"issuer"/)
  assert.deepEqual(await namesAt({ ...discovered, discovery: { hosts: ['tokens.example.com'], noProxy: [] } }), names)
  assert.notEqual((await namesAt({ ...discovered, issuer: 'https://other.example.com' })).endpoint, names.endpoint)
})
