import { type KeyObject, timingSafeEqual } from 'node:crypto'
import { createServer, type Server } from 'node:https'
import type { TLSSocket } from 'node:tls'
import Provider, { type AdapterFactory, type ClientMetadata, type Configuration, errors } from 'oidc-provider'
import { signatureAlgorithms } from '../../lib/configuration/signature-algorithm.ts'
import { generateKey } from '../../lib/signing/key-algorithm.ts'
import type { ServerCertificate } from './certificate-authority.ts'
import { listen } from './listen.ts'
import { forThisMachine } from './this-machine.ts'

/** A real authorization server on this machine, over TLS: npm's oidc-provider. */
export interface AuthorizationServer {
  readonly issuer: string
  readonly server: Server
  readonly provider: Provider
  close(): Promise<void>
}

export interface AuthorizationServerOptions {
  readonly port: number
  /** Whether the next free port will do, and what to do where none will. */
  readonly whereTaken?: { readonly mayMove?: boolean; readonly advice?: string }
  readonly certificate: ServerCertificate
  /** Called with the issuer, once the port is known. */
  readonly clients: (issuer: string) => Promise<readonly ClientMetadata[]>
  /** Passwords of users for the password grant. */
  readonly users: ReadonlyMap<string, string>
  readonly tokenSeconds?: number
  /** An RSA key that signs its JWTs; where left out, a new one. */
  readonly signingKey?: KeyObject
  /** How it reads what its clients name by URL. Left to itself oidc-provider reads nothing from this machine. */
  readonly fetch?: NonNullable<Configuration['fetch']>
}

/** Resource servers of this machine's making; others are an `invalid_target`. */
const knownResources = 'https://api.server.com/'

/** RFC 8705, with self-signed certificates. */
const mutualTls: NonNullable<Configuration['features']>['mTLS'] = {
  enabled: true,
  certificateBoundAccessTokens: true,
  selfSignedTlsClientAuth: true,
  getCertificate: ({ req }) => (req.socket as TLSSocket).getPeerX509Certificate(),
}

/** @throws {LocalRunError} when the port is taken */
export async function startAuthorizationServer(options: AuthorizationServerOptions): Promise<AuthorizationServer> {
  const { certificate, users, fetch } = options
  const server = createServer({
    cert: certificate.certificate,
    key: certificate.privateKey,
    // Any or none: which one is registered oidc-provider knows.
    requestCert: true,
    rejectUnauthorized: false,
  })
  const port = await listen(server, options.port, 'localhost', options.whereTaken)
  const issuer = `https://localhost:${port}`

  const clients = await options.clients(issuer)
  const provider = new Provider(issuer, { ...(await configuration(clients, options)), ...(fetch && { fetch }) })
  addPasswordGrant(provider, users)
  const answer = provider.callback()
  server.on(
    'request',
    forThisMachine((request, response) => void answer(request, response)),
  )
  return {
    issuer,
    server,
    provider,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function configuration(
  clients: readonly ClientMetadata[],
  { tokenSeconds = 600, signingKey = generateKey('RS256', 2048) }: AuthorizationServerOptions,
): Promise<Configuration> {
  const scopes = clients.flatMap(({ scope }) => scope?.split(' ') ?? [])
  // A memory of its own for each server; as the default it would print a warning at each start.
  const adapterPath = 'oidc-provider/lib/adapters/memory_adapter.js'
  const { createMemoryAdapter }: { createMemoryAdapter: () => AdapterFactory } = await import(adapterPath)
  return {
    adapter: createMemoryAdapter(),
    clients: [...clients],
    jwks: { keys: [{ ...signingKey.export({ format: 'jwk' }), kty: 'RSA' }] },
    scopes: ['openid', ...new Set(scopes)],
    clientAuthMethods: ['private_key_jwt', 'client_secret_jwt', 'client_secret_basic', 'self_signed_tls_client_auth'],
    enabledJWA: { clientAuthSigningAlgValues: [...signatureAlgorithms] },
    ttl: { ClientCredentials: tokenSeconds },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      introspection: { enabled: true },
      mTLS: mutualTls,
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo(_ctx, resource) {
          if (!resource.startsWith(knownResources))
            throw new errors.InvalidTarget(`no resource under ${knownResources}`)
          return { scope: scopes.join(' '), audience: resource, accessTokenFormat: 'jwt' }
        },
      },
    },
  }
}

/** RFC 6749 section 4.3, which oidc-provider leaves to its users. */
function addPasswordGrant(provider: Provider, users: ReadonlyMap<string, string>): void {
  provider.registerGrantType<{ username?: string; password?: string; scope?: string }>(
    'password',
    async (ctx) => {
      const { username = '', password = '', scope } = ctx.oidc.params
      if (!isPassword(users.get(username), password)) throw new errors.InvalidGrant('user name or password is wrong')
      const token = new provider.ClientCredentials({ client: ctx.oidc.client, ...(scope && { scope }) })
      const value = await token.save()
      ctx.body = { access_token: value, token_type: token.tokenType, expires_in: token.expiration, scope: token.scope }
    },
    ['username', 'password', 'scope'],
  )
}

function isPassword(right: string | undefined, given: string): boolean {
  const [a, b] = [Buffer.from(right ?? ''), Buffer.from(given)]
  return right !== undefined && a.length === b.length && timingSafeEqual(a, b)
}
