import type { TokenRequest } from './token-request.ts'

/**
 * The name of the one token that may answer a request, made from the request alone; the same for cache, single flight
 * and lease. It covers all that can change the token. It holds the password: a key for memory, never to be written down.
 */
export type TokenKey = string & { readonly tokenKey: true }

export function tokenKey(request: TokenRequest): TokenKey {
  const { connection, scope = [], resource = [], audience, username, password, further } = request
  return JSON.stringify([
    connection,
    asSet(scope),
    asSet(resource),
    audience ?? null,
    username ?? null,
    password?.reveal() ?? null,
    Object.entries(further).sort(([a], [b]) => (a < b ? -1 : 1)),
  ]) as TokenKey
}

/** The order in which scopes and resources are named changes nothing, nor does naming one twice. */
function asSet(values: readonly string[]): readonly string[] {
  return values.length < 2 ? values : [...new Set(values)].sort()
}
