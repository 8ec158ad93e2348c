/**
 * What Tokenwell says on its event bus, by detail type. An event only says what to look at: no secret, no parameter of a
 * request; a `tokenId` finds a token's record, and is worth nothing without a right to its connection.
 */
export type TokenwellEvent =
  /** A caller met a stale token, and got it: one in the fleet asks that it be renewed. */
  | { readonly type: 'TokenRefreshRequested'; readonly connection: string; readonly tokenId: string }
  /** An API refused that token. */
  | { readonly type: 'TokenRejected'; readonly connection: string; readonly tokenId: string }
  /** Its elements would issue another token than those by which the fleet goes. */
  | { readonly type: 'ConnectionChanged'; readonly connection: string }
  /** An operator's word: none of its tokens is to be handed out any more. */
  | { readonly type: 'ClearTokenCache'; readonly connection: string }
  | {
      readonly type: 'TokenRefreshed'
      readonly connection: string
      readonly tokenId: string
      /** Seconds since the epoch, as in `exp`. */
      readonly expiresAt: number
    }
  | {
      readonly type: 'TokenRefreshFailed'
      readonly connection: string
      /** That of a `TokenError`. */
      readonly code: string
    }
  /** The authorization server refuses its client, or what its elements ask for: an operator has to mend that. */
  | {
      readonly type: 'ConnectionRefused'
      readonly connection: string
      /** As in RFC 6749 section 5.2. */
      readonly error: string
    }
