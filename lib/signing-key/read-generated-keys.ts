import type { Secret } from '../secret/secret.ts'
import { readSigningKeys } from './read-signing-keys.ts'
import type { SigningKey } from './signing-key.ts'

/**
 * The keys in a secret that Tokenwell rotates. None where it has no text yet, or the stack's `{ "keys": [] }`, until its first
 * rotation.
 * @throws {KeyStoreError} when it holds something else: that is never overwritten
 */
export function readGeneratedKeys(location: string, secret: Secret | undefined): readonly SigningKey[] {
  return secret && !isEmpty(secret.reveal()) ? readSigningKeys(location, secret) : []
}

function isEmpty(text: string): boolean {
  if (text.trim() === '') return true
  const value = parse(text)
  if (typeof value !== 'object' || value === null) return false
  const { keys = [], kty, privateKey } = value as Readonly<Record<string, unknown>>
  return kty === undefined && privateKey === undefined && Array.isArray(keys) && keys.length === 0
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
