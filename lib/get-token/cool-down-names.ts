import { createHash } from 'node:crypto'
import type { Caller } from '../access-token/caller.ts'
import { type TokenRequest, tokenKey } from '../access-token/token.ts'
import { isOfSecret } from '../configuration/assertion-configuration.ts'
import {
  assertionsOf,
  assertionsOfGrant,
  type ServedConnection,
  secretsInBodyOf,
  secretsInHeaders,
} from '../configuration/connection.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import type { TokenRequestContext } from '../token-endpoint/token-client.ts'

/** The kinds of things that can cool down. */
export type CoolDownKind =
  /** All connections with the same way to the server: endpoint, proxy, trust store, client certificate, TLS version. */
  | 'way'
  | 'endpoint'
  /** All connections with this client at this endpoint and the same credentials. */
  | 'client'
  /** This connection with its current elements, and the client of this token. */
  | 'connection'
  /** This token alone. */
  | 'token'
  /** This caller's requests with caller parameters for this client. */
  | 'variants'
  /** This caller's requests with caller parameters for this token of the connection. */
  | 'caller'

/** The cool-down names of the things that a token request depends on. Each covers exactly what a failure is evidence about. */
export type CoolDownNames = Readonly<Partial<Record<CoolDownKind, string>>>

/** The parts of a token request that the names depend on. */
export interface NamedRequest extends TokenRequestContext {
  readonly caller: Caller
  /** Whether it is an own request: one without caller parameters. */
  readonly isOwn: boolean
  /** The fingerprint of the connection's elements. */
  readonly fingerprint: string
}

/**
 * The names for a request. A name changes with the thing that it covers, so that no request waits after a fix. Names have the contents of
 * secrets as digests. An own request does not depend on the cool-downs of caller parameters.
 */
export async function coolDownNames(context: NamedRequest, secrets: SecretCache): Promise<CoolDownNames> {
  const { connection, request, fingerprint, caller, isOwn } = context
  const { tls, proxy, connectTimeoutMilliseconds } = connection.authorizationServer
  const endpoint = endpointOf(connection)
  const way = [endpoint, tls, proxy, connectTimeoutMilliseconds, await contentsOf(secretsOfWay(connection), secrets)]
  const client = await clientIdentity(connection, secrets)
  const own = {
    way: nameOf('way', way),
    endpoint: nameOf('endpoint', [endpoint]),
    client: nameOf('client', client),
    connection: nameOf('connection', [connection.name, fingerprint, client]),
    token: nameOf('token', [tokenKey(request), fingerprint]),
  }
  if (isOwn) return own
  const furtherToken = connection.isFurther ? [connection.authentication.id] : []
  return {
    ...own,
    variants: nameOf('variants', [client, caller]),
    caller: nameOf('caller', [connection.name, caller, ...furtherToken]),
  }
}

/** An endpoint that metadata names goes by its issuer: the names are the same before and after it is known, and when it moves. */
function endpointOf({ authorizationServer }: ServedConnection): string | { readonly issuer: string } {
  const { tokenEndpoint, issuer } = authorizationServer
  return tokenEndpoint ?? { issuer }
}

function nameOf(kind: CoolDownKind | 'user', parts: readonly unknown[]): string {
  return `${kind} ${JSON.stringify(parts)}`
}

async function clientIdentity(connection: ServedConnection, secrets: SecretCache): Promise<readonly unknown[]> {
  const { clientId, clientAuthentication, grant, authorizationServer } = connection
  const { tls, headers } = authorizationServer
  const contents = await contentsOf([...secretsOfClient(connection), tls.clientCertificate], secrets)
  const identity = [endpointOf(connection), clientId, clientAuthentication, tls.clientCertificate, contents]
  return [
    ...identity,
    ...(assertionsOfGrant(grant).length > 0 || grant.type === 'authToken' ? [grant] : []),
    ...(headers ? [headers] : []),
  ]
}

/** The names of the secrets that authenticate the client, sign its grant and are in its headers. */
export function secretsOfClient(connection: ServedConnection): readonly string[] {
  const { clientAuthentication: way, grant, authorizationServer } = connection
  const names = [
    ...('passwordSecret' in way ? [way.passwordSecret] : []),
    ...(way.method === 'tls_client_auth' ? [authorizationServer.tls.clientCertificate] : []),
    ...assertionsOf(connection)
      .filter(isOfSecret)
      .map(({ key }) => key.location),
    ...secretsInHeaders(authorizationServer),
    ...secretsInBodyOf(grant),
  ]
  return names.filter((name) => name !== undefined)
}

function secretsOfWay({ authorizationServer: { tls, proxy } }: ServedConnection): readonly (string | undefined)[] {
  return [tls.trustStore, tls.clientCertificate, proxy?.credentials?.passwordSecret]
}

/** A digest of each secret. Undefined for a secret that can't be read: the attempt will report that. */
async function contentsOf(names: readonly (string | undefined)[], secrets: SecretCache): Promise<readonly unknown[]> {
  const digests = names.map(async (name) => {
    const secret = name === undefined ? undefined : await secrets.get(name).catch(() => undefined)
    return secret && createHash('sha256').update(secret.reveal()).digest('base64url')
  })
  return await Promise.all(digests)
}

/** The password guesses for a user within a minute, over all spellings of the name and all connections. */
export const passwordQuotas = { ofCaller: 3, ofAll: 30 } as const

/** The names under which password guesses for a user are counted, and the limit for each. */
export function passwordQuotaNames(connection: ServedConnection, request: TokenRequest, caller: Caller) {
  const user = [endpointOf(connection), foldUser(request.username ?? '')]
  return [
    { name: nameOf('user', [...user, caller]), most: passwordQuotas.ofCaller },
    { name: nameOf('user', user), most: passwordQuotas.ofAll },
  ] as const
}

/**
 * Servers ignore case, blanks, marks and invisible characters, each in its own way. So all names that may mean the same user count as
 * one. Upper case comes last: in lower case ß differs from ss, and a final sigma from other sigmas.
 */
function foldUser(username: string): string {
  return username
    .normalize('NFKD')
    .replace(/[\p{M}\p{C}\p{Z}\s]/gu, '')
    .toLowerCase()
    .toUpperCase()
}
