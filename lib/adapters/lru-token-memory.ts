import { LRUCache } from 'lru-cache'
import type { TokenKey } from '../token/token-key.ts'
import type { HeldToken, TokenMemory } from '../token/token-memory.ts'

interface Entry {
  readonly held?: HeldToken
  readonly rejectedAt?: number
}

/** Tokens of one process, the least recently used dropped first. A lookup costs the same however many there are. */
export function lruTokenMemory({ maximumTokens }: { readonly maximumTokens: number }): TokenMemory {
  const keysById = new Map<string, TokenKey>()
  const entries = new LRUCache<TokenKey, Entry>({
    max: maximumTokens,
    // Called for an entry that is evicted as for one that is overwritten: its id finds nothing any more.
    dispose: ({ held }) => {
      if (held) keysById.delete(held.token.id)
    },
  })

  function put(key: TokenKey, entry: Entry): void {
    entries.set(key, entry)
    if (entry.held) keysById.set(entry.held.token.id, key)
  }

  function find(connection: string, tokenId: string): { readonly key: TokenKey; readonly entry: Entry } | undefined {
    const key = keysById.get(tokenId)
    const entry = key && entries.peek(key)
    return key && entry?.held?.token.connection === connection ? { key, entry } : undefined
  }

  return {
    get: (key) => entries.get(key)?.held,
    put(key, token, confirmedAt) {
      put(key, { ...entries.peek(key), held: { token, confirmedAt } })
    },
    forget(connection, tokenId) {
      const found = find(connection, tokenId)
      if (found) entries.delete(found.key)
    },
    invalidate({ connection, tokenId, now, minimumIntervalMilliseconds }) {
      const found = find(connection, tokenId)
      if (!found) return { outcome: 'absent' }
      const retryAt = (found.entry.rejectedAt ?? -Infinity) + minimumIntervalMilliseconds
      if (now < retryAt) return { outcome: 'too_soon', retryAt }
      put(found.key, { rejectedAt: now })
      return { outcome: 'dropped' }
    },
  }
}
