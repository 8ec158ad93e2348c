import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { TestContext } from 'node:test'
import { decodeJwt } from 'jose'
import type { Workspace } from '../../infra/local/workspace.ts'
import { secretPath } from '../../lib/adapters/files/file-secrets.ts'
import { withoutUndefined } from '../support/elements/elements.ts'
import {
  elementsAt,
  type IssueTokenWithJavaServerOptions,
  startIssueTokenWithJavaServer,
} from '../support/functions/issue-token-with-java-server.ts'
import { type ClientCertificate, pemBundle, thumbprintOf } from '../support/servers/client-certificate.ts'
import type { ConfigurableAuthorizationServer as Server } from '../support/servers/configurable-authorization-server.ts'

/* How a client authenticates at a real server. Each exported function is one test. */

/** A separate client for each algorithm, because a server accepts one algorithm for a client. */
export async function signsByEachAlgorithm(t: TestContext, server: Server, algorithms: readonly string[]) {
  const named = <Element>(element: (algorithm: string) => Element) =>
    Object.fromEntries(algorithms.map((algorithm) => [algorithm, element(algorithm)]))
  const set = await startIssueTokenWithJavaServer(t, server, {
    ...elementsAt(server),
    jwtBuilder: named((algorithm) => ({
      issuer: `client-${algorithm}`,
      signatureAlgorithm: algorithm,
      ...(algorithm.startsWith('HS')
        ? { sharedKey: `tokenwell/local/${algorithm}` }
        : { keyStoreRef: 'theKeys', keyAlias: algorithm }),
    })),
    oAuthTokenConfig: named((algorithm) => ({ tokenGeneratorRef: algorithm, tokenSubject: `client-${algorithm}` })),
    oAuthConfig: named((algorithm) => ({
      authServerRef: 'theServer',
      jwtAuthenticationTokenRef: algorithm,
      jwtAuthenticationSetClientId: true,
    })),
    endpointConnection: named((algorithm) => ({ authenticationConfigRef: algorithm })),
    keyStore: { ...elementsAt(server)['keyStore'], theKeys: { location: 'tokenwell/local/the-keys' } },
  })
  for (const algorithm of algorithms) {
    const { status, body } = await set.newToken(algorithm)
    assert.equal(status, 200, `${algorithm}: ${JSON.stringify(body)}`)
    const { azp, sub } = decodeJwt(String(body['access_token']))
    assert.equal(azp ?? sub, `client-${algorithm}`)
  }
  assert.deepEqual(set.failures(), [])
}

/** The server gets the thumbprint with the key, like a server that finds keys by their certificates. */
export async function namesTheCertificateByItsThumbprint(t: TestContext, server: Server) {
  const elements = elementsAt(server, {
    builder: { jwkEnabled: undefined, keyStoreRef: 'theKeys', certificateThumbprint: 'x5t#S256' },
  })
  const set = await startIssueTokenWithJavaServer(
    t,
    server,
    withoutUndefined({
      ...elements,
      keyStore: { ...elements['keyStore'], theKeys: { location: 'tokenwell/local/keys' } },
    }),
    {
      async describe(client, workspace) {
        const [key] = client.jwks?.keys ?? []
        return { ...client, jwks: { keys: [{ ...key, kty: 'RSA', 'x5t#S256': await thumbprintOfKey(workspace) }] } }
      },
    },
  )
  assert.equal((await set.newToken()).status, 200)
  assert.deepEqual(set.failures(), [])
}

/** Settings of a jwtBuilder that change the shape of an assertion. Each server takes these. */
const shapes = [
  { expiresInSeconds: 10 },
  { x5c: true },
  { header: { jku: 'https://keys.example/jwks', cty: 'JWT', tenant: { list: [1, true] } } },
]

/** @param own what this server takes beside them */
export async function sendsAssertionsOfOtherShapes(t: TestContext, server: Server, own: Record<string, unknown>) {
  for (const builder of [...shapes, own]) {
    const set = await startIssueTokenWithJavaServer(t, server, elementsAt(server, { builder }))
    const { status, body } = await set.newToken()
    assert.equal(status, 200, `${JSON.stringify(builder)}: ${JSON.stringify(body)}`)
    assert.deepEqual(set.failures(), [])
  }
}

async function thumbprintOfKey({ secretsFolder }: Workspace): Promise<string> {
  const text = await readFile(secretPath(secretsFolder, 'local', 'tokenwell/local/keys'), 'utf8')
  const [{ x5c: [certificate = ''] = [] } = {}] = (JSON.parse(text) as { keys: { x5c: string[] }[] }).keys
  const { raw } = new X509Certificate(Buffer.from(certificate, 'base64'))
  return createHash('sha256').update(raw).digest('base64url')
}

export async function sendsItsSecretByBasic(t: TestContext, server: Server) {
  const set = await startIssueTokenWithJavaServer(t, server, elementsBySecret(server))
  const { status, body } = await set.newToken()
  assert.equal(status, 200)
  const said = await server.introspect(String(body['access_token']), set.client())
  assert.deepEqual([said['active'], said['client_id']], [true, 'theClient'])
  assert.deepEqual(set.failures(), [])
}

export async function sendsItsSecretInTheBody(t: TestContext, server: Server) {
  const { oAuthConfig, ...elements } = elementsBySecret(server)
  const theConfig = { ...oAuthConfig?.['theConfig'], clientAuthentication: 'client_secret_post' }
  const set = await startIssueTokenWithJavaServer(t, server, { ...elements, oAuthConfig: { theConfig } })
  const { status, body } = await set.newToken()
  assert.equal(status, 200, JSON.stringify(body))
  const { azp, sub } = decodeJwt(String(body['access_token']))
  assert.equal(azp ?? sub, 'theClient')
  assert.deepEqual(set.failures(), [])
}

/** A client that the server also allows to introspect and revoke its tokens. */
export function elementsBySecret(server: Server) {
  const oAuth = { jwtAuthenticationTokenRef: undefined, jwtAuthenticationSetClientId: undefined }
  const elements = elementsAt(server, { server: { basicAuthRef: 'theSecret' }, oAuth })
  const authData = { theSecret: { user: 'theClient', passwordSecret: 'tokenwell/local/client-secret' } }
  const endpointConnection = { ...elements['endpointConnection'], again: { authenticationConfigRef: 'theConfig' } }
  return withoutUndefined({ ...elements, authData, endpointConnection })
}

/** RFC 8705 sections 2.1 and 3.1: the token names the certificate that the client presented. */
export async function getsTokensBoundToItsCertificate(t: TestContext, server: Server) {
  const { clientCertificate: certificate } = server
  await getsTokensBoundTo(t, server, certificate, {
    // With the CA's certificate, because Spring tells such a certificate from a self-signed one by the length of the
    // chain.
    secrets: { client: `${pemBundle(certificate)}${certificate.caCertificate}` },
    describe: ({ jwks: _, ...client }) => ({
      ...client,
      token_endpoint_auth_method: 'tls_client_auth',
      tls_client_auth_subject_dn: 'CN=theClient',
    }),
  })
}

/** RFC 8705 section 2.2: the certificate itself is registered. */
export async function getsTokensBoundToItsSelfSignedCertificate(
  t: TestContext,
  server: Server,
  certificate: ClientCertificate,
) {
  await getsTokensBoundTo(t, server, certificate, { secrets: { client: pemBundle(certificate) } })
}

async function getsTokensBoundTo(
  t: TestContext,
  server: Server,
  certificate: ClientCertificate,
  options: IssueTokenWithJavaServerOptions,
): Promise<void> {
  const elements = elementsAt(server, {
    server: { sslCertsRef: 'mutual' },
    oAuth: {
      jwtAuthenticationTokenRef: undefined,
      jwtAuthenticationSetClientId: undefined,
      tlsAuthenticationClientId: 'theClient',
    },
  })
  const mutual = {
    ...elements,
    ssl: { mutual: { trustStoreRef: 'theTrust', keyStoreRef: 'theCertificate' } },
    keyStore: { ...elements['keyStore'], theCertificate: { location: 'tokenwell/local/client' } },
  }
  const set = await startIssueTokenWithJavaServer(t, server, withoutUndefined(mutual), options)
  const { status, body } = await set.newToken()
  assert.equal(status, 200, JSON.stringify(body))
  const { cnf } = decodeJwt(String(body['access_token']))
  assert.deepEqual(cnf, { 'x5t#S256': thumbprintOf(certificate) })
  assert.deepEqual(set.failures(), [])
}
