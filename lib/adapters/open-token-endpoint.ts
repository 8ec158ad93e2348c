import type { SecretCache } from '../secret/secret-cache.ts'
import type { TokenEndpoint } from '../token-endpoint/token-endpoint.ts'
import { loadedOnce } from './loaded-once.ts'

/** Loaded by the first token request: an instance that finds its tokens in the shared cache makes none. */
export function openTokenEndpoint(secrets: SecretCache, now: () => number): TokenEndpoint {
  const open = loadedOnce(async () => (await import('./undici-token-endpoint.ts')).undiciTokenEndpoint(secrets, now))
  return { post: async (server, request) => (await open()).post(server, request) }
}
