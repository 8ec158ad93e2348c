import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { lruTokenMemory } from '../adapters/lru-token-memory.ts'
import { openElements } from '../adapters/open-elements.ts'
import { openEvents } from '../adapters/open-events.ts'
import { openSecrets } from '../adapters/open-secrets.ts'
import { openSharedCache } from '../adapters/open-shared-cache.ts'
import { powertoolsLog } from '../adapters/powertools-log.ts'
import { withPowertoolsMetrics } from '../adapters/powertools-metrics.ts'
import { publishedLog } from '../adapters/published-log.ts'
import { createSteadyClock } from '../adapters/steady-clock.ts'
import { undiciTokenEndpoint } from '../adapters/undici-token-endpoint.ts'
import { createConnections } from '../configuration/connections.ts'
import type { ElementStore } from '../configuration/element-store.ts'
import { createSecretCache } from '../secret/secret-cache.ts'
import { createSigners } from '../signing-key/signers.ts'
import type { Pause } from '../token/in-time.ts'
import type { Environment } from './environment.ts'
import type { Ports } from './parts.ts'

const maximumTokens = 10_000

export interface OpenedPorts extends Ports {
  readonly elements: ElementStore
}

/** Opens what the environment names; each client is loaded at its first use. */
export function openPorts({ surroundings, memoryMaximumSeconds, ...places }: Environment): OpenedPorts {
  const { stage } = surroundings
  const now = createSteadyClock()
  const pause: Pause = (milliseconds, signal) => setTimeout(milliseconds, undefined, { signal })
  const log = withPowertoolsMetrics(publishedLog(powertoolsLog(stage)), stage)

  const elements = openElements(places.elements, stage)
  const secrets = createSecretCache(openSecrets(places.secrets, stage), now)
  return {
    elements,
    connections: createConnections({ elements, surroundings, now, log }),
    secrets,
    signers: createSigners(secrets, now),
    tokenEndpoint: undiciTokenEndpoint(secrets),
    ...openSharedCache(places.cache, secrets, stage),
    budgetMilliseconds: places.cache.budgetMilliseconds,
    memory: lruTokenMemory({ maximumTokens }),
    memoryMaximumSeconds,
    events: openEvents(places.events, stage),
    now,
    random: Math.random,
    randomId: () => randomBytes(16).toString('base64url'),
    pause,
    log,
  }
}
