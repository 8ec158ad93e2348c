import { LRUCache } from 'lru-cache'
import type { Token } from '../token/token.ts'
import type { TokenCache } from '../token/token-cache.ts'
import type { TokenKey } from '../token/token-key.ts'

interface Entry {
  readonly token?: Token
  readonly rejectedAt?: number
}

/** Tokens of one process, the least recently used dropped first. A lookup costs the same however many there are. */
export function memoryTokenCache({ maximumTokens }: { readonly maximumTokens: number }): TokenCache {
  const keysById = new Map<string, TokenKey>()
  const entries = new LRUCache<TokenKey, Entry>({
    max: maximumTokens,
    // Called for an entry that is evicted as for one that is overwritten: its id finds nothing any more.
    dispose: ({ token }) => {
      if (token) keysById.delete(token.id)
    },
  })

  function put(key: TokenKey, entry: Entry): void {
    entries.set(key, entry)
    if (entry.token) keysById.set(entry.token.id, key)
  }

  return {
    async get(key) {
      const token = entries.get(key)?.token
      return token && { token, source: 'memory' }
    },
    async store(key, token) {
      const rejectedAt = entries.peek(key)?.rejectedAt
      put(key, { token, ...(rejectedAt !== undefined && { rejectedAt }) })
    },
    async postpone(key, tokenId, refreshAt) {
      const entry = entries.peek(key)
      if (entry?.token?.id === tokenId) put(key, { ...entry, token: { ...entry.token, refreshAt } })
    },
    async invalidate({ connection, tokenId, now, minimumIntervalMilliseconds }) {
      const key = keysById.get(tokenId)
      const entry = key && entries.peek(key)
      if (!key || entry?.token?.connection !== connection) return { outcome: 'absent' }

      const retryAt = (entry.rejectedAt ?? -Infinity) + minimumIntervalMilliseconds
      if (now < retryAt) return { outcome: 'too_soon', retryAt }
      put(key, { rejectedAt: now })
      return { outcome: 'dropped' }
    },
  }
}
