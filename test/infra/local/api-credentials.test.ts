import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { describeApiCredentials } from '../../../infra/local/api-credentials.ts'
import { describeForeignClients } from '../../../infra/local/foreign-clients.ts'
import {
  clientsOf,
  isServedBy,
  localConnections,
  prepareSecrets,
  usableConnections,
  type Workspace,
} from '../../../infra/local/workspace.ts'
import { isServed, tokensOf } from '../../../lib/configuration/connection.ts'
import { elementsFileOf, exampleIssuer, localDeployment } from '../../support/elements/element-store.ts'
import type { RawElements } from '../../support/elements/elements.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'
import { severalTokens } from '../../support/virtual/several-tokens.ts'

/* The connection `conn` has an OAuth 2.0 token, one of another token server, and one that Tokenwell signs. */

async function workspaceWith(t: TestContext, elements: RawElements): Promise<Workspace> {
  return {
    elementsPath: await elementsFileOf(t, elements),
    secretsFolder: await temporaryFolder(t),
    deployment: localDeployment,
  }
}

/** What is printed, if the run has an authorization server at that origin. */
async function printed(workspace: Workspace, issuer: string | undefined) {
  const made = await prepareSecrets(workspace, (token) => isServedBy(issuer, token))
  const connections = await usableConnections(workspace)
  const foreign = connections
    .flatMap(tokensOf)
    .filter(isServed)
    .filter((token) => !isServedBy(issuer, token))
  return {
    made: made.toSorted(),
    clients: await describeForeignClients(foreign, workspace),
    api: await describeApiCredentials(connections, workspace),
  }
}

test('the key of a token that Tokenwell signs is made, and its public part is printed for the API', async (t) => {
  const workspace = await workspaceWith(t, severalTokens({ endpoint: { host: 'https://api.example.com' } }))
  const { made, api } = await printed(workspace, undefined)
  assert.deepEqual(made, ['tokenwell/local/jwk/signingBuilder', 'tokenwell/local/jwk/theBuilder'])
  assert.equal(api.length, 1)
  assert.match(
    api[0] ?? '',
    /^ {2}api {8}register a key of Tokenwell at https:\/\/api\.example\.com:\n {13}token {11}a JWT of authTokenLocal\/signed, signed with RS256, valid for 300 s\n {13}public keys {5}\{"keys":\[\{"kty":"RSA"/,
  )
  assert.match(api[0] ?? '', /private keys {4}in .*jwk\/signingBuilder, for this machine only\./)
  assert.doesNotMatch(api[0] ?? '', /"d":|PRIVATE/)
})

test('without a host, the API is that of the connection', async (t) => {
  const { api } = await printed(await workspaceWith(t, severalTokens()), undefined)
  assert.match(api[0] ?? '', /register a key of Tokenwell at the API of the connection conn:/)
})

test('a token server with its own form of request is named, with the files for its password and the secrets in its body', async (t) => {
  const elements = severalTokens({
    session: {
      tokenRequest: {
        credentialLocation: 'body',
        requestBody: { user: { user: true }, pass: { password: true }, app: { secret: 'tokenwell/local/app' } },
      },
    },
  })
  const { made, clients } = await printed(await workspaceWith(t, elements), undefined)
  const [client = ''] = clients.filter((each) => each.includes('session.example.com'))
  assert.match(client, /^ {2}client {5}register robot at https:\/\/session\.example\.com\/login:\n/)
  assert.match(
    client,
    /authentication {2}user and password\n {13}token {11}of authToken\/session, which is not OAuth\n/,
  )
  assert.match(client, /password {8}Write the one that the server gives you to .*session-password\.\n/)
  assert.match(client, /body value {6}Write the one that the server gives you to .*app\.$/)
  assert.ok(!made.includes('tokenwell/local/session-password') && !made.includes('tokenwell/local/app'))
})

test('the password for an API is never made, and the path of its file is printed', async (t) => {
  const elements: RawElements = {
    endpointConnection: { conn: { authenticationConfigRef: 'theUser', host: 'https://api.example.com' } },
    authData: { theUser: { user: 'robot', passwordSecret: 'tokenwell/local/api-password' } },
  }
  const { made, api } = await printed(await workspaceWith(t, elements), undefined)
  assert.deepEqual(made, [])
  assert.match(
    api.join('\n'),
    /^ {2}api {8}use basic authentication with the user robot at https:\/\/api\.example\.com:\n {13}password {8}Write the one that the API gives you to .*api-password\.$/,
  )
})

test('only OAuth 2.0 tokens come from the authorization server of the run, and only their clients are registered there', async (t) => {
  const elements = severalTokens()
  const { sessionServer } = elements['authorizationServer'] ?? {}
  const here = { ...sessionServer, tokenEndpoint: `${exampleIssuer}/login` }
  const workspace = await workspaceWith(t, {
    ...elements,
    authorizationServer: { ...elements['authorizationServer'], sessionServer: here },
  })
  const { made, clients } = await printed(workspace, exampleIssuer)
  assert.ok(!made.includes('tokenwell/local/session-password'))
  assert.deepEqual(
    clients.map((each) => each.split('\n')[0]),
    [`  client     register robot at ${exampleIssuer}/login:`],
  )
  const registered = await clientsOf(workspace, await localConnections(workspace, exampleIssuer))
  assert.deepEqual(
    registered.map(({ client_id: id }) => id),
    ['theClient'],
  )
})
