import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { type Token, type TokenRequest, tokenKey } from '../access-token/token.ts'

/** Names a token in the memory of one process: a digest, from which nobody reads the password that a token key covers. */
export type MemoryKey = string & { readonly memoryKey: true }

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

export interface TokenMemoryLimits {
  readonly maximumTokens: number
  /** Of all tokens together, as `bytesOf` counts them. */
  readonly maximumBytes: number
}

/**
 * The tokens of one process, the least recently used dropped first. A lookup costs the same however many there are. Whether
 * a token may still be used is for the reader to decide.
 */
export type TokenMemory = ReturnType<typeof createTokenMemory>

/** @param digestKey of this process alone, so that its digests match nobody else's; at least 16 random bytes, as text */
export function createTokenMemory({ maximumTokens, maximumBytes }: TokenMemoryLimits, digestKey: string) {
  /** A token that several requests ask for, some by repeating the elements, stands under several keys. */
  const keysById = new Map<string, Set<MemoryKey>>()
  const entries = new LRUCache<MemoryKey, Entry>({
    max: maximumTokens,
    // A server's token has up to 64 KiB: bounded by number alone, 10,000 of them would exhaust the memory of a function.
    maxSize: maximumBytes,
    sizeCalculation: bytesOf,
    // Called for an entry that is evicted as for one that is overwritten: its id does not find it any more.
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
    /** Of all that can change the token. One hash of text behind a key of fixed length: HMAC would take four times as long. */
    keyOf(request: TokenRequest): MemoryKey {
      return hash('sha256', digestKey + tokenKey(request), 'base64url') as MemoryKey
    },

    get(key: MemoryKey): CachedToken | undefined {
      return entries.get(key)?.cached
    },

    /** @param confirmedAt when the fleet was last asked whether it is still that one, in milliseconds since the epoch */
    put(key: MemoryKey, token: Token, confirmedAt: number): void {
      putEntry(key, { ...entries.peek(key), cached: { token, confirmedAt } })
    },

    /** Drops a token that others have replaced. */
    forget(connection: string, tokenId: string): void {
      for (const { key } of find(connection, tokenId)) entries.delete(key)
    },

    /** Compare-and-invalidate, where there is no fleet to ask. */
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

/** Key, ids and times, and what the maps add to them. */
const entryBytes = 1_000
/** The most that V8 takes for one. */
const bytesPerCharacter = 2

function bytesOf({ cached }: Entry): number {
  if (!cached) return entryBytes
  const { accessToken, scope = '' } = cached.token
  return entryBytes + bytesPerCharacter * (accessToken.length + scope.length)
}
