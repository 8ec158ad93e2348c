import type { Secret } from '../secret/secret.ts'

/** What a caller asks for, read and typed, not yet held against the connection. */
export interface TokenRequest {
  readonly connection: string
  readonly grantType?: string
  readonly scope?: readonly string[]
  readonly resource?: readonly string[]
  readonly audience?: string
  readonly username?: string
  readonly password?: Secret
  /** Further parameters for the token endpoint, by name. */
  readonly further: Readonly<Record<string, string>>
  /** The token must have at least that long to live. */
  readonly minimumSeconds?: number
  /** The token that the API refused: not that one again. */
  readonly rejectedTokenId?: string
}
