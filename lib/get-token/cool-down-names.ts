import { createHash } from 'node:crypto'
import type { Caller } from '../access-token/caller.ts'
import { type TokenRequest, tokenKey } from '../access-token/token.ts'
import type { Connection } from '../configuration/connection.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import type { TokenRequestContext } from '../token-endpoint/token-client.ts'

/** What a failure keeps from being asked for. */
export type CoolDownKind =
  /** Connections that go the same way: endpoint, proxy, trust store, client certificate, TLS version. */
  | 'way'
  | 'endpoint'
  /** Connections of this client at this endpoint, by these credentials. */
  | 'client'
  /** This connection with its elements as they are. */
  | 'connection'
  /** This token alone. */
  | 'token'
  /** What this caller adds to requests of this client. */
  | 'variants'
  /** What this caller adds to requests of this connection. */
  | 'caller'

/** The names of what a token request depends on. Each covers exactly what its evidence speaks about. */
export type CoolDownNames = Readonly<Partial<Record<CoolDownKind, string>>>

/** A token request as far as names depend on it. */
export interface NamedRequest extends TokenRequestContext {
  readonly caller: Caller
  /** Whether the request is the connection's own: nothing that a caller added is in it. */
  readonly isOwn: boolean
  /** Of the connection's elements. */
  readonly fingerprint: string
}

/**
 * A name changes with what it covers, so that what was mended waits for nothing. The contents of secrets stand in it as digests.
 * A connection's own request does not depend on what callers add.
 */
export async function coolDownNames(context: NamedRequest, secrets: SecretCache): Promise<CoolDownNames> {
  const { connection, request, fingerprint, caller, isOwn } = context
  const { tokenEndpoint, tls, proxy, connectTimeoutMilliseconds } = connection.authorizationServer
  const way = [
    tokenEndpoint,
    tls,
    proxy,
    connectTimeoutMilliseconds,
    await contentsOf(secretsOfWay(connection), secrets),
  ]
  const client = await clientIdentity(connection, secrets)
  const own = {
    way: nameOf('way', way),
    endpoint: nameOf('endpoint', [tokenEndpoint]),
    client: nameOf('client', client),
    connection: nameOf('connection', [connection.name, fingerprint, client]),
    token: nameOf('token', [tokenKey(request), fingerprint]),
  }
  if (isOwn) return own
  return {
    ...own,
    variants: nameOf('variants', [client, caller]),
    caller: nameOf('caller', [connection.name, caller]),
  }
}

function nameOf(kind: CoolDownKind | 'user', parts: readonly unknown[]): string {
  return `${kind} ${JSON.stringify(parts)}`
}

async function clientIdentity(connection: Connection, secrets: SecretCache): Promise<readonly unknown[]> {
  const { clientId, clientAuthentication, authorizationServer } = connection
  const { tokenEndpoint, tls } = authorizationServer
  const contents = await contentsOf([secretOfClient(connection), tls.clientCertificate], secrets)
  return [tokenEndpoint, clientId, clientAuthentication, tls.clientCertificate, contents]
}

/** The name of the secret by which the client authenticates. */
export function secretOfClient({ clientAuthentication: way, authorizationServer }: Connection): string | undefined {
  switch (way.method) {
    case 'client_secret_basic':
      return way.passwordSecret
    case 'tls_client_auth':
      return authorizationServer.tls.clientCertificate
    case 'private_key_jwt':
    case 'client_secret_jwt':
      return way.assertion.key.location
  }
}

function secretsOfWay({ authorizationServer: { tls, proxy } }: Connection): readonly (string | undefined)[] {
  return [tls.trustStore, tls.clientCertificate, proxy?.credentials?.passwordSecret]
}

/** A digest of each secret; nothing for one that can't be had: the attempt will say so. */
async function contentsOf(names: readonly (string | undefined)[], secrets: SecretCache): Promise<readonly unknown[]> {
  const digests = names.map(async (name) => {
    const secret = name === undefined ? undefined : await secrets.get(name).catch(() => undefined)
    return secret && createHash('sha256').update(secret.reveal()).digest('base64url')
  })
  return await Promise.all(digests)
}

/** Guesses of passwords within a minute, however the user is spelt and over whichever connection. */
export const passwordQuotas = { ofCaller: 3, ofAll: 30 } as const

/** The names under which the guesses of a user's password are counted, and how many are allowed. */
export function passwordQuotaNames({ authorizationServer }: Connection, request: TokenRequest, caller: Caller) {
  const user = [authorizationServer.tokenEndpoint, foldUser(request.username ?? '')]
  return [
    { name: nameOf('user', [...user, caller]), most: passwordQuotas.ofCaller },
    { name: nameOf('user', user), most: passwordQuotas.ofAll },
  ] as const
}

/**
 * Servers ignore case, blanks, marks and invisible characters, each in its own way: whoever may be the same user counts as one.
 * In small letters alone ß differs from ss, and the sigma at the end of a word from others.
 */
function foldUser(username: string): string {
  return username
    .normalize('NFKD')
    .replace(/[\p{M}\p{C}\p{Z}\s]/gu, '')
    .toLowerCase()
    .toUpperCase()
}
