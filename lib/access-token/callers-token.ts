import { hash } from 'node:crypto'
import { decodeJwt } from 'jose'
import type { Secret } from '../secret/secret.ts'
import type { Lifetime } from './lifetime.ts'

/** A token that a caller sends to be exchanged (RFC 8693 section 2.1). It is never logged, stored or warmed. */
export interface CallersToken {
  readonly token: Secret
  /** A URI of RFC 8693 section 3. Absent where the caller leaves it to the elements. */
  readonly type?: string
}

/** What a token key holds of a caller's token: a digest, since tokens of 16 KiB exist. */
export function keyOfCallersToken({ token, type }: CallersToken): readonly unknown[] {
  return [hash('sha256', token.reveal(), 'base64url'), type ?? null]
}

/** When a JWT ends by its own `exp`, in milliseconds since the epoch. Undefined for every other token. */
export function endOfCallersToken({ token }: CallersToken): number | undefined {
  try {
    const { exp } = decodeJwt(token.reveal())
    return Number.isFinite(exp) ? Number(exp) * 1000 : undefined
  } catch {
    return undefined
  }
}

/** How long a token is kept that was obtained with a token whose end can't be read. */
const unreadableMilliseconds = 60_000

/** What was obtained with callers' tokens is kept no longer than each of them is valid. The token itself may live longer. */
export function keptWithin<L extends Lifetime>(lifetime: L, tokens: readonly CallersToken[]): L {
  if (tokens.length === 0) return lifetime
  const { issuedAt, refreshAt, usableUntil } = lifetime
  const ends = tokens.map((each) => endOfCallersToken(each) ?? issuedAt + unreadableMilliseconds)
  const until = Math.max(issuedAt, Math.min(...ends))
  return { ...lifetime, refreshAt: Math.min(refreshAt, until), usableUntil: Math.min(usableUntil, until) }
}
