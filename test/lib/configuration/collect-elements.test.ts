import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { resolveConnection } from '../../../lib/configuration/resolve-connection.ts'
import { elementStoreOf, exampleIssuer, localDeployment } from '../../support/elements/element-store.ts'
import { exampleElements, type RawElements } from '../../support/elements/elements.ts'

test('one connection of 1,000 reads only its own elements, in as few round trips as a single connection', async (t) => {
  const alone = await askedFor(t, manyElements(1), 'conn-0')
  const amongMany = await askedFor(t, manyElements(1_000), 'conn-0')

  assert.deepEqual(amongMany, [
    ['endpointConnection/conn-0'],
    ['oAuthConfig/config-0', 'authToken/config-0', 'authTokenLocal/config-0', 'authData/config-0'],
    ['authorizationServer/server-0', 'oAuthTokenConfig/token-0'],
    ['ssl/ssl-0', 'jwtBuilder/builder-0', 'awsWebIdentity/builder-0'],
    ['keyStore/trust-0', 'keyStore/keys-0'],
  ])
  assert.deepEqual(amongMany, alone)
})

test('an element that several elements refer to is read once', async (t) => {
  const elements = exampleElements(exampleIssuer, { builder: { keyStoreRef: 'theTrust' } })
  const asked = (
    await askedFor(t, { ...elements, sslDefault: { default: { sslRef: 'defaultSSLConfig' } } }, 'conn')
  ).flat()
  assert.deepEqual(asked, [...new Set(asked)])
  assert(asked.includes('ssl/defaultSSLConfig') && asked.includes('keyStore/theTrust'))
})

function manyElements(count: number): RawElements {
  const each = (name: string, element: (n: number) => Record<string, unknown>) =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`${name}-${n}`, element(n)]))
  return {
    jwtBuilder: each('builder', (n) => ({ issuer: 'theClient', keyStoreRef: `keys-${n}` })),
    oAuthTokenConfig: each('token', (n) => ({ tokenGeneratorRef: `builder-${n}`, tokenSubject: 'theClient' })),
    authorizationServer: each('server', (n) => ({
      tokenEndpoint: `${exampleIssuer}/token`,
      issuer: exampleIssuer,
      sslCertsRef: `ssl-${n}`,
    })),
    oAuthConfig: each('config', (n) => ({ authServerRef: `server-${n}`, jwtAuthenticationTokenRef: `token-${n}` })),
    endpointConnection: each('conn', (n) => ({ authenticationConfigRef: `config-${n}` })),
    ssl: each('ssl', (n) => ({ trustStoreRef: `trust-${n}` })),
    keyStore: {
      ...each('keys', (n) => ({ location: `tokenwell/local/key-${n}` })),
      ...each('trust', (n) => ({ location: `tokenwell/local/ca-${n}` })),
    },
  }
}

/** The references of each round trip to the store. */
async function askedFor(t: TestContext, elements: RawElements, name: string): Promise<string[][]> {
  const store = await elementStoreOf(t, elements)
  const roundTrips: string[][] = []
  await resolveConnection(
    {
      get(references) {
        roundTrips.push(references.map(({ kind, id }) => `${kind}/${id}`))
        return store.get(references)
      },
      findings: () => store.findings(),
      ids: () => assert.fail('no token request needs the ids of all elements'),
    },
    localDeployment,
    name,
  )
  return roundTrips
}
