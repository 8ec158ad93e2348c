import type { Token } from './token.ts'
import type { TokenKey } from './token-key.ts'

/** Port: where tokens are kept. Whether a token may still be used is for the reader to decide. */
export interface TokenCache {
  get(key: TokenKey): Promise<CachedToken | undefined>
  store(key: TokenKey, token: Token): Promise<void>
  /** Compare-and-set: a token that is still the one in hand is stale only from then on. */
  postpone(key: TokenKey, tokenId: string, refreshAt: number): Promise<void>
  /** Compare-and-invalidate: drops a token only if it is still the one that its rejecter means. */
  invalidate(rejection: Rejection): Promise<Invalidation>
}

export interface CachedToken {
  readonly token: Token
  /** How near it was: in this process, or in the cache that processes share. */
  readonly source: 'memory' | 'cache'
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
