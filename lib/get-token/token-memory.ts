import { LRUCache } from 'lru-cache'
import type { Token, TokenKey } from '../access-token/token.ts'

export interface CachedToken {
  readonly token: Token
  /** When the fleet was last asked whether it is still that one, in milliseconds since the epoch. */
  readonly confirmedAt: number
}

export interface Rejection {
  readonly connection: string
  readonly tokenId: string
  readonly now: number
  /** A token key whose last rejection is younger keeps its token. */
  readonly minimumIntervalMilliseconds: number
}

/** `absent`: that token isn't kept any more. `too_soon`: it is, and stays until `retryAt`. */
export type Invalidation =
  | { readonly outcome: 'dropped' | 'absent' }
  | { readonly outcome: 'too_soon'; readonly retryAt: number }

interface Entry {
  readonly cached?: CachedToken
  readonly rejectedAt?: number
}

/**
 * The tokens of one process, the least recently used dropped first. A lookup costs the same however many there are. Whether
 * a token may still be used is for the reader to decide.
 */
export type TokenMemory = ReturnType<typeof createTokenMemory>

export function createTokenMemory({ maximumTokens }: { readonly maximumTokens: number }) {
  const keysById = new Map<string, TokenKey>()
  const entries = new LRUCache<TokenKey, Entry>({
    max: maximumTokens,
    // Called for an entry that is evicted as for one that is overwritten: its id finds nothing any more.
    dispose: ({ cached }) => {
      if (cached) keysById.delete(cached.token.id)
    },
  })

  function putEntry(key: TokenKey, entry: Entry): void {
    entries.set(key, entry)
    if (entry.cached) keysById.set(entry.cached.token.id, key)
  }

  function find(connection: string, tokenId: string): { readonly key: TokenKey; readonly entry: Entry } | undefined {
    const key = keysById.get(tokenId)
    const entry = key && entries.peek(key)
    return key && entry?.cached?.token.connection === connection ? { key, entry } : undefined
  }

  return {
    get(key: TokenKey): CachedToken | undefined {
      return entries.get(key)?.cached
    },

    /** @param confirmedAt when the fleet was last asked whether it is still that one, in milliseconds since the epoch */
    put(key: TokenKey, token: Token, confirmedAt: number): void {
      putEntry(key, { ...entries.peek(key), cached: { token, confirmedAt } })
    },

    /** Drops a token that others have replaced. */
    forget(connection: string, tokenId: string): void {
      const found = find(connection, tokenId)
      if (found) entries.delete(found.key)
    },

    /** Compare-and-invalidate, where there is no fleet to ask. */
    invalidate({ connection, tokenId, now, minimumIntervalMilliseconds }: Rejection): Invalidation {
      const found = find(connection, tokenId)
      if (!found) return { outcome: 'absent' }
      const retryAt = (found.entry.rejectedAt ?? -Infinity) + minimumIntervalMilliseconds
      if (now < retryAt) return { outcome: 'too_soon', retryAt }
      putEntry(found.key, { rejectedAt: now })
      return { outcome: 'dropped' }
    },
  }
}
