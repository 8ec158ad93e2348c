import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isHostPattern, isWithin } from '../../../lib/configuration/host-pattern.ts'
import {
  assertLines,
  exampleIssuer,
  localDeployment,
  mistakesOf,
  resolveConn,
} from '../../support/elements/element-store.ts'
import { type ElementChanges, exampleElements } from '../../support/elements/elements.ts'

const hostFrom = { member: 'instance_url', within: ['*.my.salesforce.com'] }

function withHostFrom(oAuth: object, endpoint: ElementChanges['endpoint'] = {}) {
  return exampleElements(exampleIssuer, { oAuth: { ...oAuth }, endpoint })
}

test('with hostFrom each token answer says where the API is, and callers get that member too', async (t) => {
  const within = ['*.My.Salesforce.com', 'api.example.com']
  const oAuth = { hostFrom: { member: 'instance_url', within }, passOn: ['id', 'instance_url'] }
  const { api, passOn, warnings } = await resolveConn(t, withHostFrom(oAuth, { domainBasePath: '/services/' }))
  assert.ok(api && 'hostFrom' in api)
  assert.deepEqual(api.hostFrom, {
    member: 'instance_url',
    within: ['*.my.salesforce.com', 'api.example.com'],
    noProxy: [],
  })
  assert.deepEqual([api.origin, api.basePath], [undefined, '/services'])
  assert.deepEqual(passOn, ['instance_url', 'id'])
  assert.deepEqual(warnings, [])
})

test('with hostFrom, proxy and noProxy of the connection are kept for each host', async (t) => {
  const elements = withHostFrom({ hostFrom }, { proxyConfigRef: 'theProxy' })
  const proxyConfig = { theProxy: { host: 'proxy.example.com', port: 3128, noProxy: '.my.salesforce.com' } }
  const { api } = await resolveConn(t, { ...elements, proxyConfig })
  assert.ok(api && 'hostFrom' in api)
  assert.equal(api.proxy?.id, 'theProxy')
  assert.deepEqual(api.hostFrom.noProxy, ['.my.salesforce.com'])
})

test('host or port beside hostFrom is a mistake', async (t) => {
  for (const [endpoint, ...attributes] of [
    [{ host: 'https://api.example.com' }, 'host'],
    [{ port: 8443 }, 'port'],
    [{ host: 'https://api.example.com', port: 443 }, 'host', 'port'],
  ] as const)
    assertLines(
      await mistakesOf(t, withHostFrom({ hostFrom }, endpoint)),
      attributes.map(
        (attribute) =>
          new RegExp(
            `^endpointConnection/conn ${attribute}: The attribute hostFrom of oAuthConfig/theConfig says where the API is, always on port 443\\. Take out ${attribute}, or take out hostFrom\\.$`,
          ),
      ),
    )
})

const notHosts: readonly unknown[] = [
  ...['*', '*.', '*.com', 'com', '*.localhost', 'localhost', 'localhost:0', 'localhost:8443/x', '127.0.0.1:8443'],
  ...['**.example.com', '*.*.example.com', 'a*.example.com', 'a.*.example.com', '*example.com', '.example.com'],
  ...['https://api.example.com', 'api.example.com:443', 'api.example.com/', 'api.example.com.', '*.example.com.'],
  ...['10.0.0.1', '*.0.0.1', '127.1', '2130706433', '0x7f000001', '0x7f.1', '0177.0.0.1', '[::1]', '::1', '1.2.3.0x4'],
  ...['user@api.example.com', 'api.example.com?', 'api.example.com#', 'api..example.com', '-api.example.com'],
  ...[
    'api-.example.com',
    'api_1.example.com',
    'bücher.example',
    'api。example.com',
    'api.example.com\n',
    'a b.example.com',
  ],
  ...[`${'a'.repeat(64)}.example.com`, `${'a.'.repeat(126)}com`, '', 7, null, ['api.example.com']],
]
test('an entry of within is a host, or *. and a domain of at least two labels, and anything else is a mistake', async (t) => {
  for (const host of notHosts)
    assertLines(await mistakesOf(t, withHostFrom({ hostFrom: { member: 'instance_url', within: [host] } })), [
      /^oAuthConfig\/theConfig hostFrom: Each entry of within must be the name of a host, or \*\. and a domain/,
    ])
  for (const host of [
    'api.example.com',
    '*.example.com',
    '*.my.salesforce.com',
    'xn--bcher-kva.example',
    'a.b.xn--p1ai',
  ])
    assert.equal(isHostPattern(host), true, host)
})

test('within is required and has at most 50 entries', async (t) => {
  for (const within of [
    undefined,
    [],
    '*.example.com',
    { a: 1 },
    Array.from({ length: 51 }, (_, i) => `a${i}.example.com`),
  ])
    assertLines(await mistakesOf(t, withHostFrom({ hostFrom: { member: 'instance_url', within } })), [
      /^oAuthConfig\/theConfig hostFrom: Set within to a list of 1 to 50 hosts .* Without it, an answer could send tokens to any host\.$/,
    ])
})

test('member is the name of a member that callers may get', async (t) => {
  for (const [member, pattern] of [
    [undefined, /Set member to the name of the member/],
    [['instance_url'], /Set member to the name of the member/],
    ['access_token', /Take out the member access_token: Tokenwell's answer has its own\.$/],
    ['refreshToken', /Take out the member refreshToken: no caller may get it\.$/],
    ['a b', /The name of a member has at most 64 characters/],
  ] as const) {
    const [line, ...others] = await mistakesOf(t, withHostFrom({ hostFrom: { ...hostFrom, member } }))
    assert.match(String(line), pattern)
    assert.deepEqual(others, [])
  }
  assertLines(await mistakesOf(t, withHostFrom({ hostFrom: { ...hostFrom, port: 1 } })), [
    /^oAuthConfig\/theConfig hostFrom: Take out port: there are only member and within\.$/,
  ])
  for (const value of ['instance_url', 7, ['instance_url']])
    assertLines(await mistakesOf(t, withHostFrom({ hostFrom: value })), [
      /^oAuthConfig\/theConfig hostFrom: It must be an object with member, .* and within, a list of hosts\./,
    ])
})

test('localhost with a port is for servers on the same machine: on Lambda it is a mistake', async (t) => {
  const elements = withHostFrom({ hostFrom: { member: 'instance_url', within: ['localhost:8443'] } })
  await resolveConn(t, elements)
  assertLines(await mistakesOf(t, elements, { ...localDeployment, isLambda: true }), [
    /^oAuthConfig\/theConfig hostFrom: The host localhost is only for servers on your own machine, not for Lambda\. Take it out of within\.$/,
  ])
})

test('*. stands for one label or more, and never for a part of a label', () => {
  const within = ['*.my.salesforce.com', 'api.example.com']
  for (const host of ['acme.my.salesforce.com', 'acme--dev.sandbox.my.salesforce.com', 'api.example.com'])
    assert.equal(isWithin(host, within), true, host)
  for (const host of [
    ...[
      'my.salesforce.com',
      'evilmy.salesforce.com',
      'acme.evilmy.salesforce.com',
      'acme.my.salesforce.com.evil.example',
    ],
    ...['example.com', 'x.api.example.com', 'xapi.example.com', 'acme.salesforce.com', ''],
  ])
    assert.equal(isWithin(host, within), false, host)
})

test('with hostFrom, the default ssl is that of the API, also where the authorization server has another one', async (t) => {
  const elements = withHostFrom({ hostFrom })
  const server = { ...elements['authorizationServer']?.['theServer'], sslCertsRef: 'another' }
  const { api } = await resolveConn(t, {
    ...elements,
    authorizationServer: { theServer: server },
    ssl: { ...elements['ssl'], another: { sslProtocol: 'TLSv1.2' }, company: { trustStoreRef: 'companyCa' } },
    sslDefault: { default: { sslRef: 'company' } },
    keyStore: { ...elements['keyStore'], companyCa: { location: 'tokenwell/local/company-ca' } },
  })
  assert.equal(api?.tls.trustStore, 'tokenwell/local/company-ca')
})
