import { X509Certificate } from 'node:crypto'
import { relative } from 'node:path'
import { fileSecrets, secretPath } from '../../lib/adapters/files/file-secrets.ts'
import { TokenwellError } from '../../lib/base/tokenwell-error.ts'
import {
  type AssertionConfiguration,
  isInKms,
  isOfSecret,
  isSignedByTokenwell,
  type JwtConfiguration,
  type JwtOfSecret,
  type WebIdentityConfiguration,
} from '../../lib/configuration/assertion-configuration.ts'
import {
  addressOf,
  assertionsOfGrant,
  type ServedConnection,
  secretsInBodyOf,
  secretsInHeaders,
  takesPassword,
} from '../../lib/configuration/connection.ts'
import { keyOf as keyIdentity } from '../../lib/configuration/element.ts'
import { isSharedKeyAlgorithm } from '../../lib/configuration/signature-algorithm.ts'
import { keysToPublish } from '../../lib/key-lifecycle/published-keys.ts'
import { createSecretCache } from '../../lib/secret/secret-cache.ts'
import type { SecretUse } from '../../lib/signing/secret-use.ts'
import { createSignerCache } from '../../lib/signing/signer-cache.ts'
import { readSigningKeys } from '../../lib/signing/signing-secret.ts'
import { localKeyFile, localKeyService, publicJwkInKms } from './kms-keys.ts'
import { presentedCertificate } from './register-clients.ts'
import type { Workspace } from './workspace.ts'

/**
 * What the operators of other authorization servers need to register the clients of these connections, as text with one part for
 * each client. A key that cannot sign is left out, and the text says why.
 */
export async function describeForeignClients(
  connections: readonly ServedConnection[],
  workspace: Workspace,
): Promise<readonly string[]> {
  const lines = new Map<string, Set<string>>()
  for (const connection of connections) {
    const { clientId, authorizationServer } = connection
    const client = `  client     register ${clientId} at ${addressOf(authorizationServer)}:`
    const facts = await factsOf(connection, workspace)
    lines.set(client, new Set([...(lines.get(client) ?? []), ...facts]))
  }
  return [...lines].map(([client, facts]) => [client, ...[...facts].map((fact) => `             ${fact}`)].join('\n'))
}

async function factsOf(connection: ServedConnection, workspace: Workspace): Promise<readonly string[]> {
  const { grant, parameters, authentication } = connection
  const isOAuth = grant.type !== 'authToken'
  return [
    `authentication  ${isOAuth ? oAuthMethodOf(connection) : credentialsFor(connection)}`,
    isOAuth ? `grant type      ${grant.type}` : `token           of ${keyIdentity(authentication)}, which is not OAuth`,
    ...(parameters.scope.length > 0 ? [`scope           ${parameters.scope.join(' ')}`] : []),
    ...(await credentialsOf(connection, workspace)),
    ...secretsInHeaders(connection.authorizationServer).map(
      (name) => `header value    Write the one that the server gives you to ${fileOf(name, workspace)}.`,
    ),
  ]
}

function oAuthMethodOf({ clientAuthentication: way }: ServedConnection): string {
  return 'assertion' in way ? `${way.method}, signed with ${way.assertion.algorithm}` : way.method
}

/** What authenticates the requests of an `authToken`. */
function credentialsFor({ clientAuthentication: way, grant, authorizationServer: { tls } }: ServedConnection): string {
  if (takesPassword(grant)) return 'user and password, which each request brings'
  if ('assertion' in way) return `a JWT, signed with ${way.assertion.algorithm}`
  if ('passwordSecret' in way) return 'user and password'
  return tls.clientCertificate === undefined ? 'only what the body and headers have' : 'a client certificate'
}

async function credentialsOf(connection: ServedConnection, workspace: Workspace): Promise<readonly string[]> {
  const { grant } = connection
  try {
    return [
      ...(await clientCredentials(connection, workspace)),
      ...(await Promise.all(assertionsOfGrant(grant).map((each) => keyOf(each, connection, workspace)))).flat(),
      ...secretsInBodyOf(grant).map(
        (name) => `body value      Write the one that the server gives you to ${fileOf(name, workspace)}.`,
      ),
    ]
  } catch (error) {
    if (error instanceof TokenwellError) return [`not usable      ${error.message}`]
    throw error
  }
}

async function clientCredentials(connection: ServedConnection, workspace: Workspace): Promise<readonly string[]> {
  const { clientAuthentication: way } = connection
  if ('passwordSecret' in way && connection.grant.type === 'authToken')
    return [`password        Write the one that the server gives you to ${fileOf(way.passwordSecret, workspace)}.`]
  if ('passwordSecret' in way) return [sharedSecret(way.passwordSecret, workspace)]
  if ('assertion' in way) return await keyOf(way.assertion, connection, workspace)
  return way.method === 'tls_client_auth' ? await certificate(connection, workspace) : []
}

async function keyOf(assertion: AssertionConfiguration, connection: ServedConnection, workspace: Workspace) {
  if (!isSignedByTokenwell(assertion)) return [identityOfAws(assertion)]
  if (!isOfSecret(assertion)) return await keyInKms(assertion, workspace)
  return isSharedKeyAlgorithm(assertion.algorithm)
    ? [sharedSecret(assertion.key.location, workspace)]
    : await publicKeys(assertion, useOf(connection), workspace)
}

/** The local run has no role of its own: it asks AWS with the credentials of the machine. */
function identityOfAws({ awsWebIdentity }: WebIdentityConfiguration): string {
  const role = process.env['TOKENWELL_IDENTITY_ROLE'] ?? 'no role yet: set TOKENWELL_IDENTITY_ROLE to its ARN'
  return `signed by AWS   for awsWebIdentity/${awsWebIdentity}: ${role}`
}

async function keyInKms(
  { key, algorithm }: JwtConfiguration,
  { secretsFolder }: Workspace,
): Promise<readonly string[]> {
  if (!isInKms(key)) return []
  const jwk = await publicJwkInKms(key, algorithm, localKeyService(secretsFolder))
  return [
    `public keys     ${JSON.stringify({ keys: jwk ? [jwk] : [] })}`,
    `private key     in ${localKeyFile(secretsFolder, key)}, for this machine only. On AWS it is in KMS.`,
    `or, from AWS    jwks_uri <publicUrl>/jwt/${key.jwtBuilder}/jwk`,
  ]
}

/** The server makes it, so the local run never does. */
function sharedSecret(name: string, workspace: Workspace): string {
  return `client secret   Write the one that the server gives you to ${fileOf(name, workspace)}.`
}

function useOf({ authorizationServer }: ServedConnection): SecretUse {
  return {
    element: `authorizationServer/${authorizationServer.id}`,
    host: new URL(addressOf(authorizationServer)).hostname,
  }
}

/**
 * The public keys that verify such a JWT, and where the private ones are.
 * @throws {TokenwellError} if no key can sign with the algorithm
 */
export async function publicKeys(
  assertion: JwtOfSecret,
  use: SecretUse,
  workspace: Workspace,
): Promise<readonly string[]> {
  const { key, algorithm, expiresInSeconds } = assertion
  const secrets = createSecretCache(secretsOf(workspace), Date.now)
  await createSignerCache(secrets, Date.now).current(key, algorithm, use)
  const keys = keysToPublish(
    { algorithm, key, assertionSeconds: expiresInSeconds },
    readSigningKeys(key.location, await secrets.get(key.location)),
    Date.now(),
  )
  const file = fileOf(key.location, workspace)
  return [
    `public keys     ${JSON.stringify({ keys: keys.map(({ jwk }) => jwk) })}`,
    key.generated
      ? `private keys    in ${file}, for this machine only. On AWS Tokenwell makes others.`
      : `private keys    in ${file}. On AWS the secret must hold the same.`,
    `or, from AWS    jwks_uri <publicUrl>/jwt/${key.jwtBuilder}/jwk`,
  ]
}

async function certificate({ authorizationServer: { tls } }: ServedConnection, workspace: Workspace) {
  const { subject } = new X509Certificate(await presentedCertificate(tls, secretsOf(workspace)))
  return [
    `certificate     ${subject.replaceAll('\n', ', ')}, in ${fileOf(tls.clientCertificate ?? '', workspace)}`,
    'to register     its subject (tls_client_auth) or the certificate itself (self_signed_tls_client_auth)',
  ]
}

/** The path of the file that holds the secret. */
export function fileOf(name: string, { secretsFolder, deployment }: Workspace): string {
  return relative(process.cwd(), secretPath(secretsFolder, deployment.stage, name))
}

function secretsOf({ secretsFolder, deployment }: Workspace) {
  return fileSecrets(secretsFolder, deployment.stage)
}
