import { cp, mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { temporaryFolder } from '../process/temporary-folder.ts'
import { createClientCertificate } from './client-certificate.ts'
import {
  basicAuthorization,
  type ConfigurableAuthorizationServer,
  createTlsClient,
} from './configurable-authorization-server.ts'
import { freePort } from './free-port.ts'
import { demandInstalled, keycloakFolder } from './installed-servers.ts'
import { startJavaProcess } from './java-process.ts'
import { createKeycloakAdmin, type KeycloakAdmin, keycloakRealm } from './keycloak-admin.ts'

export interface Keycloak
  extends ConfigurableAuthorizationServer,
    Pick<KeycloakAdmin, 'trustIssuer' | 'trustAwsIdentity'> {}

/**
 * Keycloak with a realm for this test, configured by its admin REST API.
 * @throws {MissingServerError} if it is not installed
 */
export async function startKeycloak(t: TestContext): Promise<Keycloak> {
  const installed = demandInstalled('Keycloak', keycloakFolder())
  const [certificate, clientCertificate] = await Promise.all([
    createServerCertificate(['localhost']),
    createClientCertificate(),
  ])
  const folder = await temporaryFolder(t, {
    'ca.pem': certificate.caCertificate,
    'certificate.pem': certificate.certificate,
    'key.pem': certificate.privateKey,
    'client-ca.pem': clientCertificate.caCertificate,
  })
  const origin = `https://localhost:${await freePort()}`
  const tls = createTlsClient(t, certificate)
  const admin = createKeycloakAdmin(tls, origin)
  const server = await startJavaProcess(t, {
    command: ['sh', join(await createHome(installed, folder), 'bin', 'kc.sh'), 'start', '--optimized'],
    environment: environmentOf(folder, origin),
    folder,
    readClock: () => admin.readClock(),
  })
  await admin.createRealm()

  const issuer = `${origin}/realms/${keycloakRealm}`
  const protocol = `${issuer}/protocol/openid-connect`
  return {
    ...server,
    ...admin,
    issuer,
    tokenEndpoint: `${protocol}/token`,
    certificate,
    clientCertificate,
    introspect: (token, client) =>
      tls.readJson(`${protocol}/token/introspect`, { headers: basicAuthorization(client), form: { token } }),
    async revoke(token, client) {
      await tls.send(`${protocol}/revoke`, { headers: basicAuthorization(client), form: { token } })
    },
  }
}

/** The installed Keycloak with a copy of its database. */
async function createHome(installed: string, folder: string): Promise<string> {
  const home = join(folder, 'keycloak')
  await mkdir(home)
  // The script finds the rest next to itself.
  for (const name of ['bin', 'data']) await cp(join(installed, name), join(home, name), { recursive: true })
  for (const name of ['conf', 'lib', 'providers', 'themes']) await symlink(join(installed, name), join(home, name))
  return home
}

function environmentOf(folder: string, origin: string): Record<string, string> {
  return {
    JAVA_OPTS_APPEND: '-XX:TieredStopAtLevel=1',
    KC_CACHE: 'local',
    KC_HOSTNAME: origin,
    KC_HTTP_HOST: '127.0.0.1',
    KC_HTTPS_PORT: new URL(origin).port,
    KC_HTTPS_CERTIFICATE_FILE: join(folder, 'certificate.pem'),
    KC_HTTPS_CERTIFICATE_KEY_FILE: join(folder, 'key.pem'),
    KC_HTTPS_TRUST_STORE_FILE: join(folder, 'client-ca.pem'),
    // With this CA it trusts the server of Tokenwell's JWK set.
    KC_TRUSTSTORE_PATHS: join(folder, 'ca.pem'),
  }
}
