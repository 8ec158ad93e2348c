import type { Token } from './token.ts'
import type { TokenKey } from './token-key.ts'

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
