import { createPublicKey, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { ClientMetadata } from 'oidc-provider'
import { readTlsIdentity } from '../../lib/adapters/http/tls-identity.ts'
import {
  type AssertionConfiguration,
  isInKms,
  isSignedByTokenwell,
} from '../../lib/configuration/assertion-configuration.ts'
import { authorizationDetails, readDetails } from '../../lib/configuration/authorization-details.ts'
import { addressOf, assertionsOfGrant, type ServedConnection } from '../../lib/configuration/connection.ts'
import { isSharedKeyAlgorithm } from '../../lib/configuration/signature-algorithm.ts'
import type { TlsConfiguration } from '../../lib/configuration/transport.ts'
import type { SecretStore } from '../../lib/secret/secret-store.ts'
import type { KeyService } from '../../lib/signing/key-service.ts'
import { readPassword, readSharedKey } from '../../lib/signing/secret-use.ts'
import { readSigningKeys } from '../../lib/signing/signing-secret.ts'
import { publicJwkInKms } from './kms-keys.ts'

/** The registration data of these connections' clients, with public keys only. */
export async function describeClients(
  connections: readonly ServedConnection[],
  secrets: SecretStore,
  keyService: KeyService,
): Promise<ClientMetadata[]> {
  const byId = new Map<string, ClientMetadata>()
  for (const connection of connections) {
    const known = byId.get(connection.clientId)
    const client = await describeClient(connection, secrets, keyService)
    byId.set(connection.clientId, known ? merge(known, client) : client)
  }
  return [...byId.values()]
}

async function describeClient(
  connection: ServedConnection,
  secrets: SecretStore,
  keyService: KeyService,
): Promise<ClientMetadata> {
  const { clientId, clientAuthentication: way, grant, parameters, authorizationServer } = connection
  const use = {
    element: `authorizationServer/${authorizationServer.id}`,
    host: new URL(addressOf(authorizationServer)).hostname,
  }
  const detailTypes = detailTypesOf(connection)
  const common: ClientMetadata = {
    client_id: clientId,
    redirect_uris: [],
    response_types: [],
    grant_types: [grant.type],
    token_endpoint_auth_method: way.method,
    ...(parameters.scope.length > 0 && { scope: parameters.scope.join(' ') }),
    ...(detailTypes.length > 0 && { authorization_details_types: detailTypes }),
  }
  const client = way.method === 'tls_client_auth' ? await describeTlsClient(common, connection, secrets) : common
  const credentials = 'assertion' in way ? await describeKey(way.assertion, secrets, keyService) : {}
  const ofGrant = await Promise.all(assertionsOfGrant(grant).map((each) => describeKey(each, secrets, keyService)))
  const keys = [client, credentials, ...ofGrant].flatMap(({ jwks }) => jwks?.keys ?? [])
  return {
    ...client,
    ...Object.assign({}, ...ofGrant),
    ...credentials,
    ...('passwordSecret' in way && {
      client_secret: readPassword(way.passwordSecret, await secrets.get(way.passwordSecret), use).reveal(),
    }),
    ...('assertion' in way && { token_endpoint_auth_signing_alg: way.assertion.algorithm }),
    ...(keys.length > 0 && { jwks: { keys: withoutTwins(keys) } }),
  }
}

/** The types of the authorization_details that its token requests may have (RFC 9396 section 10). */
function detailTypesOf({ parameters, requestMay = {} }: ServedConnection): readonly string[] {
  const listed = requestMay[authorizationDetails] ?? []
  const details = [
    readDetails(parameters.further[authorizationDetails] ?? '') ?? [],
    listed === true ? [] : listed,
  ].flat()
  return [...new Set(details.map((detail) => (JSON.parse(detail) as { readonly type: string }).type))]
}

/** What verifies an assertion: public keys, or the shared key of an HS algorithm. Nothing for a JWT that AWS signs. */
async function describeKey(
  assertion: AssertionConfiguration,
  secrets: SecretStore,
  keyService: KeyService,
): Promise<Pick<ClientMetadata, 'client_secret' | 'jwks'>> {
  if (!isSignedByTokenwell(assertion)) return {}
  const { key, algorithm } = assertion
  if (isInKms(key)) {
    const jwk = await publicJwkInKms(key, algorithm, keyService)
    return jwk ? { jwks: { keys: [jwk] } } : {}
  }
  const secret = await secrets.get(key.location)
  return isSharedKeyAlgorithm(algorithm)
    ? { client_secret: readSharedKey(key.location, secret).reveal() }
    : { jwks: { keys: readSigningKeys(key.location, secret).map(publicJwk) } }
}

/** RFC 8705 section 2.2: the certificate itself is registered, so the server does not need to trust a CA. */
async function describeTlsClient(
  client: ClientMetadata,
  { authorizationServer: { tls } }: ServedConnection,
  secrets: SecretStore,
): Promise<ClientMetadata> {
  const { publicKey, raw } = new X509Certificate(await presentedCertificate(tls, secrets))
  return {
    ...client,
    token_endpoint_auth_method: 'self_signed_tls_client_auth',
    jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), use: 'sig', x5c: [raw.toString('base64')] }] },
    tls_client_certificate_bound_access_tokens: true,
  }
}

/** The client certificate, as DER. */
export async function presentedCertificate(tls: TlsConfiguration, secrets: SecretStore): Promise<Buffer> {
  // Only node:tls can read PKCS#12.
  const { trustStore: _, ...presented } = tls
  const { context }: { context: { getCertificate(): Buffer } } = createSecureContext(
    await readTlsIdentity(presented, secrets),
  )
  return context.getCertificate()
}

function publicJwk({ privateKey, keyId }: ReturnType<typeof readSigningKeys>[number]) {
  return { ...createPublicKey(privateKey).export({ format: 'jwk' }), kid: keyId, use: 'sig' } as const
}

/** Merges the data of two connections with the same client, so that the client may do what either connection needs. */
function merge(one: ClientMetadata, other: ClientMetadata): ClientMetadata {
  const union = <T>(a: readonly T[] = [], b: readonly T[] = []) => [...new Set([...a, ...b])]
  const { token_endpoint_auth_signing_alg: algorithm, ...rest } = other
  const scope = union(one.scope?.split(' '), other.scope?.split(' ')).join(' ')
  const detailTypes = union(typesIn(one), typesIn(other))
  const keys = [...(one.jwks?.keys ?? []), ...(other.jwks?.keys ?? [])]
  const { token_endpoint_auth_signing_alg: before, ...first } = one
  return {
    ...first,
    ...rest,
    ...(algorithm === before && algorithm !== undefined && { token_endpoint_auth_signing_alg: algorithm }),
    grant_types: union(one.grant_types, other.grant_types),
    ...(detailTypes.length > 0 && { authorization_details_types: detailTypes }),
    ...(scope && { scope }),
    ...(keys.length > 0 && { jwks: { keys: withoutTwins(keys) } }),
  }
}

function typesIn({ authorization_details_types: types }: ClientMetadata): readonly string[] {
  return Array.isArray(types) ? types.map(String) : []
}

function withoutTwins<Key extends { readonly kid?: string | undefined }>(keys: readonly Key[]): Key[] {
  return [...new Map(keys.map((key) => [key.kid, key])).values()]
}
