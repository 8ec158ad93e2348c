import { lruTokenMemory } from '../adapters/lru-token-memory.ts'
import { openElements } from '../adapters/open-elements.ts'
import { openEvents } from '../adapters/open-events.ts'
import { openRotation } from '../adapters/open-rotation.ts'
import { openTokenEndpoint } from '../adapters/open-token-endpoint.ts'
import { createConnections } from '../configuration/connections.ts'
import { createSigners } from '../signing-key/signers.ts'
import type { Environment } from './environment.ts'
import { openStorePorts } from './open-store-ports.ts'

const maximumTokens = 10_000

/** Opens what the environment names; each client is loaded at its first use. */
export function openPorts(environment: Environment) {
  const { surroundings, memoryMaximumSeconds, ...places } = environment
  const { stage } = surroundings
  const storePorts = openStorePorts(environment)
  const { secrets, now, pause, log } = storePorts

  const elements = openElements(places.elements, stage)
  return {
    ...storePorts,
    elements,
    connections: createConnections({ elements, surroundings, now, pause, log }),
    signers: createSigners(secrets, now),
    openRotatingSecret: openRotation(places.secrets, stage),
    tokenEndpoint: openTokenEndpoint(secrets, now),
    memory: lruTokenMemory({ maximumTokens }),
    memoryMaximumSeconds,
    events: openEvents(places.events, stage),
  }
}
