import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { clientsOf, localConnections, prepareSecrets, type Workspace } from '../../../infra/local/workspace.ts'
import { elementsFileOf, exampleIssuer, localDeployment } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'

/** Two connections of one client that sign with these algorithms, each with the key store of that id. */
async function twoBuilders(t: TestContext, stores: readonly [string, string]): Promise<Workspace> {
  const base = exampleElements(exampleIssuer)
  const builder = (signatureAlgorithm: string, keyStoreRef: string) => ({
    issuer: 'theClient',
    signatureAlgorithm,
    keyStoreRef,
  })
  const config = (id: string) => ({ authServerRef: 'theServer', jwtAuthenticationTokenRef: id })
  const elementsPath = await elementsFileOf(t, {
    ...base,
    jwtBuilder: { rs: builder('RS256', stores[0]), es: builder('ES256', stores[1]) },
    oAuthTokenConfig: {
      rs: { tokenGeneratorRef: 'rs', tokenSubject: 'theClient' },
      es: { tokenGeneratorRef: 'es', tokenSubject: 'theClient' },
    },
    oAuthConfig: { rs: config('rs'), es: config('es') },
    endpointConnection: { rs: { authenticationConfigRef: 'rs' }, es: { authenticationConfigRef: 'es' } },
    keyStore: {
      ...base['keyStore'],
      one: { location: 'tokenwell/local/one' },
      two: { location: 'tokenwell/local/two' },
    },
  })
  return { elementsPath, secretsFolder: await temporaryFolder(t), deployment: localDeployment }
}

test('one secret is not made for two kinds of keys, and the message says what to do', async (t) => {
  await assert.rejects(
    prepareSecrets(await twoBuilders(t, ['one', 'one']), () => true),
    /One key in the secret tokenwell\/local\/one cannot sign with .*RS256.*\. Give each jwtBuilder its own keyStore or keyAlias/,
  )
})

test('a client with two algorithms is registered with both keys and bound to neither algorithm', async (t) => {
  const workspace = await twoBuilders(t, ['one', 'two'])
  await prepareSecrets(workspace, () => true)
  const [client, ...others] = await clientsOf(workspace, await localConnections(workspace, exampleIssuer))
  assert.deepEqual(others, [])
  assert.equal(client?.token_endpoint_auth_signing_alg, undefined)
  assert.deepEqual(client?.jwks?.keys.map(({ kty }) => kty).sort(), ['EC', 'RSA'])
})
