import { LRUCache } from 'lru-cache'
import type { Token, TokenKey } from '../access-token/token.ts'

/** Port: the tokens that one process has in hand. Whether one may still be used is for the reader to decide. */
export interface TokenMemory {
  get(key: TokenKey): HeldToken | undefined
  /** @param confirmedAt when the fleet was last asked whether it is still that one, in milliseconds since the epoch */
  put(key: TokenKey, token: Token, confirmedAt: number): void
  /** Drops a token that others have replaced. */
  forget(connection: string, tokenId: string): void
  /** Compare-and-invalidate, where there is no fleet to ask. */
  invalidate(rejection: Rejection): Invalidation
}

export interface HeldToken {
  readonly token: Token
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
