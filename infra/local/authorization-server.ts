import type { KeyObject } from 'node:crypto'
import { createServer, type Server } from 'node:https'
import type { TLSSocket } from 'node:tls'
import Provider, {
  type AdapterFactory,
  type ClientMetadata,
  type Configuration,
  errors,
  type KoaContextWithOIDC,
} from 'oidc-provider'
import { signatureAlgorithms } from '../../lib/configuration/signature-algorithm.ts'
import { generateKey } from '../../lib/signing/key-algorithm.ts'
import type { ServerCertificate } from './certificate-authority.ts'
import { listen } from './listen.ts'
import {
  addAccountCredentialsGrant,
  addJwtBearerGrant,
  addPasswordGrant,
  addTokenExchangeGrant,
} from './registered-grants.ts'
import { forThisMachine } from './this-machine.ts'

/** A real authorization server on this machine, over TLS: the npm package oidc-provider. */
export interface AuthorizationServer {
  readonly issuer: string
  readonly server: Server
  readonly provider: Provider
  close(): Promise<void>
}

export interface AuthorizationServerOptions {
  readonly port: number
  /** Whether it may use the next free port, and the advice in the error if it may not. */
  readonly whereTaken?: { readonly mayMove?: boolean; readonly advice?: string }
  readonly certificate: ServerCertificate
  /** Called with the issuer, once the port is known. */
  readonly clients: (issuer: string) => Promise<readonly ClientMetadata[]>
  /** The passwords of users for the password grant, by user name. */
  readonly users: ReadonlyMap<string, string>
  readonly tokenSeconds?: number
  /** The RSA key that signs its JWTs. A new one by default. */
  readonly signingKey?: KeyObject
  /** Reads the URLs that its clients name. By default oidc-provider refuses to read from this machine. */
  readonly fetch?: NonNullable<Configuration['fetch']>
}

/** The resource servers of the local run. The server answers `invalid_target` for any other. */
const knownResources = 'https://api.server.com/'

const clientAuthMethods: NonNullable<Configuration['clientAuthMethods']> = [
  'private_key_jwt',
  'client_secret_jwt',
  'client_secret_basic',
  'client_secret_post',
  'self_signed_tls_client_auth',
  'none',
]

/** RFC 8705 with self-signed certificates. */
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
    // Node.js accepts any certificate or none. oidc-provider checks which certificate is registered.
    requestCert: true,
    rejectUnauthorized: false,
  })
  const port = await listen(server, options.port, 'localhost', options.whereTaken)
  const issuer = `https://localhost:${port}`

  const clients = await options.clients(issuer)
  const provider = new Provider(issuer, { ...(await configuration(clients, options)), ...(fetch && { fetch }) })
  addPasswordGrant(provider, users)
  addJwtBearerGrant(provider)
  addAccountCredentialsGrant(provider)
  addTokenExchangeGrant(provider)
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

function detailTypesIn({ authorization_details_types: types }: ClientMetadata): readonly string[] {
  return Array.isArray(types) ? types.map(String) : []
}

/** RFC 9396: each client may ask for the types that its elements name, whatever else the objects hold. */
function richAuthorizationRequests(types: ReadonlySet<string>) {
  const unused = () => Promise.resolve(undefined)
  return {
    enabled: true as const,
    types: Object.fromEntries([...types].map((type) => [type, { validate() {} }])),
    authorizationDetailsForAccessToken: ({ oidc: { params } }: KoaContextWithOIDC) =>
      Promise.resolve(JSON.parse(String(params?.['authorization_details'])) as { type: string }[]),
    authorizationDetailsForGrantSource: unused,
    authorizationDetailsForIntrospection: unused,
  }
}

async function configuration(
  clients: readonly ClientMetadata[],
  { tokenSeconds = 600, signingKey = generateKey('RS256', 2048) }: AuthorizationServerOptions,
): Promise<Configuration> {
  const detailTypes = new Set(clients.flatMap((client) => detailTypesIn(client)))
  const scopes = clients.flatMap(({ scope }) => scope?.split(' ') ?? [])
  // A separate memory for each server. With its default memory, oidc-provider prints a warning at each start.
  const adapterPath = 'oidc-provider/lib/adapters/memory_adapter.js'
  const { createMemoryAdapter }: { createMemoryAdapter: () => AdapterFactory } = await import(adapterPath)
  return {
    adapter: createMemoryAdapter(),
    clients: [...clients],
    jwks: { keys: [{ ...signingKey.export({ format: 'jwk' }), kty: 'RSA' }] },
    scopes: ['openid', ...new Set(scopes)],
    clientAuthMethods,
    enabledJWA: { clientAuthSigningAlgValues: [...signatureAlgorithms] },
    ttl: { ClientCredentials: tokenSeconds, AccessToken: tokenSeconds, Grant: tokenSeconds },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      introspection: { enabled: true },
      mTLS: mutualTls,
      richAuthorizationRequests: richAuthorizationRequests(detailTypes),
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo(_ctx, resource) {
          if (!resource.startsWith(knownResources))
            throw new errors.InvalidTarget(`the resource must be a URL under ${knownResources}`)
          return { scope: scopes.join(' '), audience: resource, accessTokenFormat: 'jwt' }
        },
      },
    },
  }
}
