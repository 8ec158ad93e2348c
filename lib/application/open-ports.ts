import { createConnectionCache } from '../configuration/connection-cache.ts'
import { createFingerprints } from '../fleet/fingerprints.ts'
import { createTokenMemory } from '../get-token/token-memory.ts'
import { createSignerCache } from '../signing/signer-cache.ts'
import type { Ports } from './application.ts'
import type { Environment } from './environment.ts'
import {
  openCertificates,
  openElements,
  openEvents,
  openMetadataSource,
  openSecretRotation,
  openTokenEndpoint,
} from './open-adapters.ts'
import { openKeyService } from './open-key-service.ts'
import { openStorePorts } from './open-store-ports.ts'
import { openWebIdentity } from './open-web-identity.ts'

const memoryLimits = { maximumTokens: 10_000, maximumBytes: 64 * 1024 * 1024 }

/** Opens the adapters that the environment names. Each client is loaded at its first use. */
export function openPorts(environment: Environment): Ports {
  const { deployment, memoryMaximumSeconds, ...places } = environment
  const { stage } = deployment
  const storePorts = openStorePorts(environment)
  const { secrets, now, randomId, pause, log } = storePorts
  const elements = openElements(places.elements, stage)
  const fingerprints = createFingerprints(storePorts)
  return {
    ...storePorts,
    elements,
    connections: createConnectionCache({ elements, deployment, fingerprints, now, pause, log }),
    secretRotation: openSecretRotation(places.secrets, stage),
    signers: createSignerCache(secrets, now),
    keyService: openKeyService(places.secrets),
    webIdentity: openWebIdentity(environment, now),
    certificates: openCertificates(secrets),
    tokenEndpoint: openTokenEndpoint(secrets, now),
    metadataSource: openMetadataSource(secrets),
    memory: createTokenMemory(memoryLimits, randomId()),
    memoryMaximumSeconds,
    events: openEvents(places.events, stage),
  }
}
