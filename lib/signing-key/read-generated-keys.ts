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
  try {
    const { keys = [], kty, privateKey } = JSON.parse(text) as Readonly<Record<string, unknown>>
    return kty === undefined && privateKey === undefined && Array.isArray(keys) && keys.length === 0
  } catch {
    return false
  }
}
