import { generateKey } from '../signing-key/generate-key.ts'
import { keyIdOf } from '../signing-key/key-id.ts'
import { KeyStoreError } from '../signing-key/key-store-error.ts'
import { readGeneratedKeys } from '../signing-key/read-generated-keys.ts'
import type { SigningKey } from '../signing-key/signing-key.ts'
import { writeKeySet } from '../signing-key/write-key-set.ts'
import { planKeys } from './plan-keys.ts'
import type { RotatedBuilder } from './rotated-builder.ts'
import { RotationRefusedError } from './rotation-refused-error.ts'
import { type Rotation, readVersion } from './rotation-under-way.ts'

/**
 * Writes the next keys as the pending version, once: a repetition finds them.
 * @throws {RotationRefusedError} where a next key waits already, or this rotation was given up
 * @throws {KeyStoreError} where the secret holds what no rotation has written: it stays as it is
 */
export async function createSecret({ builder, secret, token }: Rotation, now: number): Promise<void> {
  const { location } = builder.key
  const { current, pending } = await secret.labels()
  if (current === token) return
  if (await secret.read(token)) {
    if (pending === token) return
    throw new RotationRefusedError(`This rotation of the secret ${location} was given up: begin another one.`)
  }

  const before = await readVersion(secret, current)
  try {
    const keys = planKeys(builder, readGeneratedKeys(location, before), now, () => createKey(builder))
    // Where two do this step at once, the first one's keys are as good.
    await secret.putPending(token, writeKeySet(keys, builder.algorithm, current))
  } catch (error) {
    if (error instanceof RotationRefusedError || error instanceof KeyStoreError) await secret.giveUp(token)
    throw error
  }
}

function createKey({ algorithm, generated }: RotatedBuilder): SigningKey {
  const privateKey = generateKey(algorithm, generated.modulusLength)
  return { privateKey, keyId: keyIdOf(privateKey), certificates: [] }
}
