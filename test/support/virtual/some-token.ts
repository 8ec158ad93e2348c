import { randomBytes } from 'node:crypto'
import type { Token } from '../../../lib/access-token/token.ts'
import { type TokenKey, tokenKey } from '../../../lib/access-token/token.ts'
import { createTokenMemory, type MemoryKey, type TokenMemory } from '../../../lib/get-token/token-memory.ts'
import { Secret } from '../../../lib/secret/secret.ts'

let made = 0

export function someTokenKey(scope = `scope-${made++}`): TokenKey {
  return tokenKey({ connection: 'conn', scope: [scope], further: {} })
}

/** The token memory of one process, with room for that many tokens. */
export function someTokenMemory(maximumTokens = 1_000): TokenMemory {
  return createTokenMemory({ maximumTokens, maximumBytes: 64 * 1024 * 1024 }, randomBytes(16).toString('base64url'))
}

export function someMemoryKey(scope = `scope-${made++}`): MemoryKey {
  return someTokenMemory().keyOf({ connection: 'conn', scope: [scope], further: {} })
}

/** A token obtained at time 0. It is fresh for 200 s and usable for 270 s. */
export function someToken(members: Partial<Token> = {}): Token {
  return {
    id: randomBytes(16).toString('base64url'),
    connection: 'conn',
    accessToken: new Secret(`the token ${made++}`),
    issuedAt: 0,
    refreshAt: 200_000,
    usableUntil: 270_000,
    expiresAt: 300_000,
    ...members,
  }
}
