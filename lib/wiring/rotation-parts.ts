import type { ElementStore } from '../configuration/element-store.ts'
import type { Surroundings } from '../configuration/surroundings.ts'
import type { PublicationsParts } from '../publication/publications.ts'
import { createPublishKeys } from '../publication/publish-keys.ts'
import { createRotateKey } from '../rotation/rotate-key.ts'
import type { OpenRotatingSecret } from '../rotation/rotating-secret.ts'
import type { SecretStore } from '../secret/secret-store.ts'
import type { BudgetParts } from '../token-cache/budget.ts'
import { createPublicationParts } from './publication-parts.ts'

export interface RotationPorts extends Omit<BudgetParts, 'budgetMilliseconds'>, Omit<PublicationsParts, 'budget'> {
  readonly elements: ElementStore
  readonly surroundings: Surroundings
  /** Reads anew each time. */
  readonly secretStore: SecretStore
  readonly openRotatingSecret: OpenRotatingSecret
}

/** Who changes signing keys, and who publishes what has changed. */
export function createRotationParts(ports: RotationPorts) {
  const { elements, surroundings, secretStore: secrets, openRotatingSecret, now, log } = ports
  const { publications } = createPublicationParts(ports)
  const publishKeys = createPublishKeys({ elements, surroundings, secrets, publications, now, log })
  const rotateKey = createRotateKey({ elements, surroundings, openRotatingSecret, publications, publishKeys, now })
  return { publications, publishKeys, rotateKey }
}
