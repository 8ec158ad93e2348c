import { rename, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { ClientMetadata } from 'oidc-provider'
import { createServerCertificate, type ServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { listen } from '../../../infra/local/listen.ts'
import { temporaryFolder } from '../process/temporary-folder.ts'
import { type ClientCertificate, createClientCertificate, createSelfSignedCertificate } from './client-certificate.ts'
import {
  basicAuthorization,
  type ConfigurableAuthorizationServer,
  createTlsClient,
} from './configurable-authorization-server.ts'
import { freePort } from './free-port.ts'
import { demandInstalled, springFolder } from './installed-servers.ts'
import { startJavaProcess } from './java-process.ts'

export interface SpringAuthorizationServer extends ConfigurableAuthorizationServer {
  /** A client certificate that the server accepts for itself. */
  readonly selfSignedCertificate: ClientCertificate
}

/**
 * Spring Authorization Server as Spring Boot configures it, with its clients in a file.
 * @throws {MissingServerError} if it is not installed
 */
export async function startSpringAuthorizationServer(t: TestContext): Promise<SpringAuthorizationServer> {
  const installed = demandInstalled('Spring Authorization Server', springFolder())
  const [certificate, clientCertificate, selfSignedCertificate] = await Promise.all([
    createServerCertificate(['localhost']),
    createClientCertificate(),
    createSelfSignedCertificate('theSelfSignedClient'),
  ])
  const folder = await temporaryFolder(t, {
    'ca.pem': certificate.caCertificate,
    'certificate.pem': certificate.certificate,
    'key.pem': certificate.privateKey,
    'client-ca.pem': `${clientCertificate.caCertificate}\n${selfSignedCertificate.caCertificate}\n`,
    'clients.json': '{}',
  })
  const issuer = `https://localhost:${await freePort()}`
  const tls = createTlsClient(t, certificate)
  const classPath = `${join(installed, 'classes')}:${join(installed, 'dependency')}/*`
  const server = await startJavaProcess(t, {
    command: ['java', '-XX:TieredStopAtLevel=1', '-cp', classPath, 'tokenwell.AuthorizationServer'],
    environment: { SPRING_APPLICATION_JSON: JSON.stringify(configurationOf(folder, issuer)) },
    folder,
    async readClock() {
      const { headers } = await tls.send(`${issuer}/.well-known/oauth-authorization-server`, { method: 'GET' })
      return Date.parse(headers.get('date') ?? '')
    },
  })
  return {
    ...server,
    ...createClientsFile(join(folder, 'clients.json'), await publishKeySets(t, certificate)),
    issuer,
    tokenEndpoint: `${issuer}/oauth2/token`,
    certificate,
    clientCertificate,
    selfSignedCertificate,
    introspect: (token, client) =>
      tls.readJson(`${issuer}/oauth2/introspect`, { headers: basicAuthorization(client), form: { token } }),
    async revoke(token, client) {
      await tls.send(`${issuer}/oauth2/revoke`, { headers: basicAuthorization(client), form: { token } })
    },
  }
}

function configurationOf(folder: string, issuer: string): object {
  const file = (name: string) => `file:${join(folder, name)}`
  return {
    'server.address': '127.0.0.1',
    'server.port': new URL(issuer).port,
    'server.ssl.bundle': 'server',
    'server.ssl.client-auth': 'want',
    'spring.ssl.bundle.pem.server.keystore.certificate': file('certificate.pem'),
    'spring.ssl.bundle.pem.server.keystore.private-key': file('key.pem'),
    'spring.ssl.bundle.pem.server.truststore.certificate': file('client-ca.pem'),
    'spring.ssl.bundle.pem.key-sets.truststore.certificate': file('ca.pem'),
    'spring.security.oauth2.authorizationserver.issuer': issuer,
    'tokenwell.clients': join(folder, 'clients.json'),
  }
}

type KeySets = Map<string, unknown>

/** Serves the JWK sets of its clients, because it accepts them only by URL. */
async function publishKeySets(t: TestContext, { certificate, privateKey }: ServerCertificate) {
  const keySets: KeySets = new Map()
  const server = createServer({ cert: certificate, key: privateKey }, (request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(keySets.get(request.url ?? '') ?? { keys: [] }))
  })
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const origin = `https://localhost:${await listen(server, 0, 'localhost')}`
  return { keySets, origin }
}

function createClientsFile(
  path: string,
  { keySets, origin }: { readonly keySets: KeySets; readonly origin: string },
): Pick<ConfigurableAuthorizationServer, 'register' | 'setEnabled'> {
  const enabled = new Map<string, object>()
  const disabled = new Map<string, object>()
  /** Atomic, because the server may read the file at any time. */
  const write = async () => {
    await writeFile(`${path}.new`, JSON.stringify(Object.fromEntries(enabled)))
    await rename(`${path}.new`, path)
  }
  return {
    async register({ jwks, ...client }) {
      if (jwks) keySets.set(`/${client.client_id}`, jwks)
      enabled.set(client.client_id, {
        ...(jwks && { jwks_uri: `${origin}/${client.client_id}` }),
        ...storedSecret(client),
      })
      await write()
    },
    async setEnabled(clientId, isEnabled) {
      const [from, to] = isEnabled ? [disabled, enabled] : [enabled, disabled]
      const client = from.get(clientId)
      if (client) to.set(clientId, client)
      from.delete(clientId)
      await write()
    },
  }
}

const passwordMethods: readonly unknown[] = ['client_secret_basic', 'client_secret_post']

/** A secret that is compared with a password must say how it is stored. A secret that signs is the key itself. */
function storedSecret(client: ClientMetadata): ClientMetadata {
  if (!passwordMethods.includes(client.token_endpoint_auth_method)) return client
  return { ...client, client_secret: `{noop}${client.client_secret}` }
}
