import { test } from 'node:test'
import { assertLines, exampleIssuer, findingsOf, resolveConn } from '../../support/elements/element-store.ts'
import { type ElementChanges, exampleElements, type RawElements } from '../../support/elements/elements.ts'

/** In the form of server.xml. */
const variable = (name: string) => ['$', '{', name, '}'].join('')

const places: readonly (readonly [attribute: string, changes: ElementChanges])[] = [
  ['jwtBuilder/theBuilder issuer', { builder: { issuer: variable('client.id') } }],
  ['jwtBuilder/theBuilder audiences', { builder: { audiences: ['a', `https://${variable('host')}`] } }],
  ['jwtBuilder/theBuilder scope', { builder: { scope: variable('scope') } }],
  ['oAuthTokenConfig/theTokenConfig tokenSubject', { tokenConfig: { tokenSubject: variable('client') } }],
  ['oAuthTokenConfig/theTokenConfig claims', { tokenConfig: { claims: { a: { b: [`x${variable('env.A')}`] } } } }],
  ['oAuthTokenConfig/theTokenConfig claims', { tokenConfig: { claims: `{"tenant":"${variable('tenant')}"}` } }],
  ['authorizationServer/theServer issuer', { server: { issuer: `https://${variable('as')}/` } }],
  ['authorizationServer/theServer tokenEndpoint', { server: { tokenEndpoint: `https://${variable('as')}/token` } }],
  ['oAuthConfig/theConfig scope', { oAuth: { scope: `read ${variable('scope')}` } }],
  ['oAuthConfig/theConfig audience', { oAuth: { audience: variable('audience') } }],
  ['oAuthConfig/theConfig resource', { oAuth: { resource: `https://${variable('resource')}` } }],
  ['oAuthConfig/theConfig parameters', { oAuth: { parameters: { tenant: variable('tenant') } } }],
  ['oAuthConfig/theConfig requestMay', { oAuth: { requestMay: { tenant: [variable('tenant')] } } }],
  ['endpointConnection/conn host', { endpoint: { host: `https://${variable('API_HOST')}` } }],
]

for (const [place, changes] of places)
  test(`a variable of server.xml in ${place} is a mistake: ${JSON.stringify(changes)}`, async (t) => {
    const lines = await findingsOf(t, exampleElements(exampleIssuer, changes))
    assertLines(
      lines.filter((line) => line.startsWith(`${place}: `)),
      [/ It holds the server\.xml variable [\w.]+\. Tokenwell does not replace variables: write the value itself\.$/],
    )
  })

test('a variable is a mistake in elements of every other kind', async (t) => {
  const elements: RawElements = {
    ...exampleElements(exampleIssuer),
    authData: { a: { user: variable('user'), passwordSecret: `tokenwell/local/${variable('name')}` } },
    proxyConfig: { p: { host: variable('proxy'), port: variable('port'), noProxy: [variable('no')] } },
    ssl: { s: { sslProtocol: variable('tls') } },
  }
  const lines = (await findingsOf(t, elements)).filter((line) => line.includes('the server.xml variable'))
  assertLines(lines, [
    /^authData\/a user: /,
    /^authData\/a passwordSecret: /,
    /^proxyConfig\/p host: /,
    /^proxyConfig\/p port: /,
    /^proxyConfig\/p noProxy: /,
    /^ssl\/s sslProtocol: /,
  ])
})

test('a variable that is not a valid name is not shown, as it may be a secret', async (t) => {
  const oAuth = { audience: `${variable('correct horse')}` }
  assertLines(await findingsOf(t, exampleElements(exampleIssuer, { oAuth })), [
    /^oAuthConfig\/theConfig audience: It holds the server\.xml variable\. /,
  ])
})

test('a dollar sign and braces without a variable are ordinary characters', async (t) => {
  const oAuth = { audience: '$a{b}', parameters: { price: '$5' } }
  await resolveConn(t, exampleElements(exampleIssuer, { oAuth }))
})

test('a value that the CDK fills in is not a variable', async (t) => {
  await resolveConn(t, exampleElements(exampleIssuer, { oAuth: { audience: variable('Token[TOKEN.12]') } }))
})
