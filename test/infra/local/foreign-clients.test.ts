import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { describeForeignClients } from '../../../infra/local/foreign-clients.ts'
import { makeSecretsFor } from '../../../infra/local/make-secrets.ts'
import type { Workspace } from '../../../infra/local/workspace.ts'
import { localDeployment, resolveConn } from '../../support/elements/element-store.ts'
import { type ElementChanges, exampleElements, type RawElements } from '../../support/elements/elements.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'

/** What is printed for connections with these changes. The missing secrets are made first, other than client secrets. */
async function describe(
  t: TestContext,
  all: readonly ElementChanges[],
  { secrets = {}, more = {} }: { readonly secrets?: Record<string, string>; readonly more?: RawElements } = {},
): Promise<readonly string[]> {
  const workspace: Workspace = {
    elementsPath: 'unused',
    secretsFolder: await temporaryFolder(t, secrets),
    deployment: localDeployment,
  }
  const elements = (changes: ElementChanges) => ({ ...exampleElements('https://as.example', changes), ...more })
  const connections = await Promise.all(all.map((changes) => resolveConn(t, elements(changes))))
  await makeSecretsFor(workspace, connections, () => false)
  return describeForeignClients(connections, workspace)
}

const keyStore = {
  theKeys: { location: 'tokenwell/local/the-keys' },
  theTrust: { location: 'tokenwell/local/authorization-server-ca' },
}
const byKeyStore = { jwkEnabled: undefined, keyStoreRef: 'theKeys', signatureAlgorithm: 'ES256' }

test('two connections of one client are one part, which names each scope and shows only public keys with their algorithm', async (t) => {
  const [client = '', ...others] = await describe(t, [{ oAuth: { scope: 'a' } }, { oAuth: { scope: 'b' } }])
  assert.deepEqual(others, [])
  const [, keys = ''] = /^ +public keys +(.*)$/m.exec(client) ?? []
  assert.deepEqual(Object.keys(JSON.parse(keys).keys[0]).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use'])
  assert.match(client, /^ {2}client {5}register theClient at https:\/\/as\.example\/token:\n/)
  assert.match(client, /\n {13}scope {11}a\n[\s\S]*\n {13}scope {11}b$/)
  assert.match(client, /private keys {4}in .*jwk\/theBuilder, for this machine only\. On AWS Tokenwell makes others\./)
})

test('a key that is stored is the same on AWS, and a key that cannot sign with the algorithm is not printed', async (t) => {
  const stored = (namedCurve: string) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve })
    return {
      secrets: { 'the-keys': privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() },
      more: { keyStore },
    }
  }
  const [fitting = ''] = await describe(t, [{ builder: byKeyStore }], stored('P-256'))
  assert.match(fitting, /"crv":"P-256"/)
  assert.match(fitting, /private keys {4}in .*the-keys\. On AWS the secret must hold the same\./)
  const [unfit = ''] = await describe(t, [{ builder: byKeyStore }], stored('P-384'))
  assert.match(
    unfit,
    /not usable {6}The secret tokenwell\/local\/the-keys holds an EC key on P-384, but ES256 needs an EC key on P-256\.$/,
  )
  assert.doesNotMatch(unfit, /"keys"|"crv"/)
})

test('for a client certificate its subject is printed, and which methods of registration there are', async (t) => {
  const changes: ElementChanges = {
    server: { sslCertsRef: 'mutual' },
    oAuth: { jwtAuthenticationTokenRef: undefined, tlsAuthenticationClientId: 'theClient' },
  }
  const [client = ''] = await describe(t, [changes], {
    more: { keyStore, ssl: { mutual: { keyStoreRef: 'theKeys' } } },
  })
  assert.match(client, /authentication {2}tls_client_auth\n/)
  assert.match(client, /certificate {5}CN=Tokenwell, in .*the-keys\n.*self_signed_tls_client_auth/)
  assert.doesNotMatch(client, /PRIVATE/)
})

test('a token server whose user and password each request brings needs no secret', async (t) => {
  const authToken = {
    theToken: {
      authServerRef: 'theServer',
      tokenRequest: { credentialsFrom: 'caller' },
      tokenResponse: { responseFormat: 'Text' },
    },
  }
  const [client = '', ...others] = await describe(t, [{ endpoint: { authenticationConfigRef: 'theToken' } }], {
    more: { authToken },
  })
  assert.deepEqual(others, [])
  assert.match(client, /authentication {2}user and password, which each request brings\n/)
  assert.doesNotMatch(client, /Write the one|secrets/)
})
