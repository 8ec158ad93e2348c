import { type PublishPendingParts, publishPendingKeys } from './publish-pending-keys.ts'
import { giveUp, type Rotation, readPendingKeys } from './rotation-under-way.ts'

/**
 * Makes the pending version the current one: from then on the clock of each signer decides when it takes the new key.
 * @throws {RotationRefusedError}
 * @throws {RotationGivenUpError}
 */
export async function finishSecret(rotation: Rotation, parts: PublishPendingParts): Promise<void> {
  const pending = await readPendingKeys(rotation)
  if (!pending) return

  await publishPendingKeys(rotation, pending, 'always', parts)
  const isCurrent = await rotation.secret.makeCurrent(rotation.token, pending.replaces)
  if (!isCurrent) await giveUp(rotation, 'was changed while this rotation was finished')
}
