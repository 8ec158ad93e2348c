import type { TestContext } from 'node:test'
import { type AuthorizationServer, startAuthorizationServer } from '../../infra/local/authorization-server.ts'
import { createServerCertificate } from '../../infra/local/certificate-authority.ts'

export interface StageAuthorizationServer {
  readonly server: AuthorizationServer
  /** The CA that the stage must trust, as PEM. */
  readonly caCertificate: string
}

/**
 * An authorization server for a stage in an emulated account. Its clients are named like the issuers of the jwtBuilders that they sign
 * with. No host answers at the stage's public URL, so `readKeySet` brings the JWK set of a jwtBuilder from elsewhere.
 * @param clients the jwtBuilder of each client
 */
export async function startStageAuthorizationServer(
  t: TestContext,
  {
    publicUrl,
    clients,
    readKeySet,
  }: {
    readonly publicUrl: string
    readonly clients: Readonly<Record<string, string>>
    readonly readKeySet: (jwtBuilder: string) => Promise<string>
  },
): Promise<StageAuthorizationServer> {
  const certificate = await createServerCertificate(['localhost'])
  const registered = Object.entries(clients).map(([client_id, jwtBuilder]) => ({
    client_id,
    token_endpoint_auth_method: 'private_key_jwt' as const,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    jwks_uri: `${publicUrl}/jwt/${jwtBuilder}/jwk`,
  }))
  const server = await startAuthorizationServer({
    port: 0,
    certificate,
    users: new Map(),
    // Longer than a test takes on a slow machine, so that only tokens with a shorter maximumLifetimeSeconds get stale.
    tokenSeconds: 3_600,
    clients: async () => registered,
    fetch: async (url) => {
      const [, jwtBuilder = ''] = /\/jwt\/([^/]+)\/jwk$/.exec(String(url)) ?? []
      return new Response(await readKeySet(jwtBuilder), { headers: { 'content-type': 'application/json' } })
    },
  })
  t.after(() => server.close())
  return { server, caCertificate: certificate.caCertificate }
}
