import { compactVerify, importJWK, type JWK } from 'jose'
import type { Publications } from '../publication/publications.ts'
import { keysOf } from '../publication/published-keys.ts'
import { createLocalSigner } from '../signing-key/local-signer.ts'
import type { PublicJwk } from '../signing-key/public-jwk.ts'
import type { SigningKey } from '../signing-key/signing-key.ts'
import { RotationRefusedError } from './rotation-refused-error.ts'
import { giveUp, type Rotation, readPendingKeys } from './rotation-under-way.ts'

export interface TestSecretParts {
  readonly publications: Publications
  readonly now: () => number
  /** Milliseconds since the epoch. */
  readonly deadline: number
}

/**
 * Signs with the key that will sign, and verifies as a server does, with what is published.
 * @throws {RotationRefusedError} where it isn't published
 * @throws {RotationGivenUpError} where the two are no pair
 */
export async function testSecret(rotation: Rotation, { publications, now, deadline }: TestSecretParts): Promise<void> {
  const pending = await readPendingKeys(rotation)
  if (!pending) return

  const { jwtBuilder, algorithm, key } = rotation.builder
  const { next } = pending
  const publication = await publications.read(jwtBuilder, deadline)
  const published = keysOf(publication, now()).find(({ jwk }) => jwk.kid === next.keyId)
  if (!published)
    throw new RotationRefusedError(
      `The next key of the secret ${key.location}, ${next.keyId}, is not published: setSecret comes first.`,
    )
  if (!(await isPair(next, published.jwk, algorithm)))
    await giveUp(rotation, 'has a next key that is none to what is published')
}

async function isPair({ privateKey, keyId }: SigningKey, jwk: PublicJwk, alg: string): Promise<boolean> {
  const jws = await createLocalSigner(privateKey, { keyId }).sign({ alg }, { test: keyId })
  try {
    await compactVerify(jws.reveal(), await importJWK(jwk as JWK, alg))
    return true
  } catch {
    return false
  }
}
