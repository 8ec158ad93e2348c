import type { Secret } from '../secret/secret.ts'
import type { Lifetime } from './lifetime.ts'

/** An access token with its lifetime and provenance. Times are milliseconds since the epoch. */
export interface Token extends Lifetime {
  /** Random; names this token to its callers. Valid only under its connection. */
  readonly id: string
  readonly connection: string
  readonly accessToken: Secret
  /** What the server says was granted, or what it was asked for. */
  readonly scope?: string
}

/** 16 random bytes in base64url; of a token that is shared, with the digest that finds its record. */
export function isTokenId(text: string): boolean {
  return /^[A-Za-z0-9_-]{22}(\.[A-Za-z0-9_-]{43})?$/.test(text)
}
