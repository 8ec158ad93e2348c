import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { type Token, type TokenRequest, tokenKey } from '../access-token/token.ts'

/** The name of a token in the memory of one process: a digest, so that a password in the token key can't be read from memory. */
export type MemoryKey = string & { readonly memoryKey: true }

export interface CachedToken {
  readonly token: Token
  /** When the fleet last confirmed that the token is the current one, in milliseconds since the epoch. */
  readonly confirmedAt: number
}

export interface Rejection {
  readonly connection: string
  readonly tokenId: string
  readonly now: number
  /** A token key with a more recent rejection keeps its token. */
  readonly minimumIntervalMilliseconds: number
}

/** `absent`: that token isn't kept any more. `too_soon`: it is kept, and can't be dropped before `retryAt`. */
export type Invalidation =
  | { readonly outcome: 'dropped' | 'absent' }
  | { readonly outcome: 'too_soon'; readonly retryAt: number }

interface Entry {
  readonly cached?: CachedToken
  readonly rejectedAt?: number
}

export interface TokenMemoryLimits {
  readonly maximumTokens: number
  /** The limit for all tokens together, as `bytesOf` counts them. */
  readonly maximumBytes: number
}

/**
 * The tokens of one process. The least recently used ones are dropped first. A lookup costs the same for any number of tokens. The reader
 * decides whether a token may still be used.
 */
export type TokenMemory = ReturnType<typeof createTokenMemory>

/** @param digestKey at least 16 random bytes as text, new in each process, so that digests of two processes never match */
export function createTokenMemory({ maximumTokens, maximumBytes }: TokenMemoryLimits, digestKey: string) {
  /** A token may have several keys, since a request that repeats the elements has another key than one that doesn't. */
  const keysById = new Map<string, Set<MemoryKey>>()
  const entries = new LRUCache<MemoryKey, Entry>({
    max: maximumTokens,
    // A token has up to 64 KiB: with a limit for the number alone, 10,000 tokens would exhaust the memory of a function.
    maxSize: maximumBytes,
    sizeCalculation: bytesOf,
    // Called for evicted and for overwritten entries: the id must no longer find them.
    dispose: ({ cached }, key) => {
      if (!cached) return
      const { id } = cached.token
      const keys = keysById.get(id)
      keys?.delete(key)
      if (keys?.size === 0) keysById.delete(id)
    },
  })

  function putEntry(key: MemoryKey, entry: Entry): void {
    entries.set(key, entry)
    const { cached } = entry
    if (cached) keysById.set(cached.token.id, (keysById.get(cached.token.id) ?? new Set()).add(key))
  }

  function find(connection: string, tokenId: string): readonly { readonly key: MemoryKey; readonly entry: Entry }[] {
    return [...(keysById.get(tokenId) ?? [])].flatMap((key) => {
      const entry = entries.peek(key)
      return entry?.cached?.token.connection === connection ? [{ key, entry }] : []
    })
  }

  return {
    /** Covers all that can change the token. It hashes the text after a key of fixed length: HMAC would take four times as long. */
    keyOf(request: TokenRequest): MemoryKey {
      return hash('sha256', digestKey + tokenKey(request), 'base64url') as MemoryKey
    },

    get(key: MemoryKey): CachedToken | undefined {
      return entries.get(key)?.cached
    },

    /** @param confirmedAt when the fleet last confirmed that the token is the current one, in milliseconds since the epoch */
    put(key: MemoryKey, token: Token, confirmedAt: number): void {
      putEntry(key, { ...entries.peek(key), cached: { token, confirmedAt } })
    },

    /** Drops a token that another process has replaced. */
    forget(connection: string, tokenId: string): void {
      for (const { key } of find(connection, tokenId)) entries.delete(key)
    },

    /** Compare-and-invalidate, for a token that the fleet doesn't share. */
    invalidate({ connection, tokenId, now, minimumIntervalMilliseconds }: Rejection): Invalidation {
      const found = find(connection, tokenId)
      if (found.length === 0) return { outcome: 'absent' }
      const rejectedAt = Math.max(...found.map(({ entry }) => entry.rejectedAt ?? -Infinity))
      const retryAt = rejectedAt + minimumIntervalMilliseconds
      if (now < retryAt) return { outcome: 'too_soon', retryAt }
      for (const { key } of found) putEntry(key, { rejectedAt: now })
      return { outcome: 'dropped' }
    },
  }
}

/** The key, the ids, the times, and the overhead of the maps. */
const entryBytes = 1_000
/** The most that V8 uses for one character. */
const bytesPerCharacter = 2

function bytesOf({ cached }: Entry): number {
  if (!cached) return entryBytes
  const { accessToken, scope = '', passedOn } = cached.token
  const further = passedOn ? JSON.stringify(passedOn).length : 0
  return entryBytes + bytesPerCharacter * (accessToken.length + scope.length + further)
}
