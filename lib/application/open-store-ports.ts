import { createPowertoolsLog } from '../adapters/log/powertools.ts'
import { createSteadyClock, randomId, timerPause } from '../adapters/process/clock.ts'
import { inTime } from '../base/time.ts'
import { firstCallMilliseconds } from '../fleet/circuit-breaker.ts'
import { createSecretCache } from '../secret/secret-cache.ts'
import type { Ports } from './application.ts'
import type { Environment } from './environment.ts'
import { openPublicationKey } from './open-publication-key.ts'
import { openSecrets, openSharedCache } from './open-store.ts'

/** Opens the adapters for shared records and for the log. */
export function openStorePorts(environment: Environment) {
  const { deployment, secrets: place, cache, publicationKey, earlierRecords, logDetail } = environment
  const { stage } = deployment
  const now = createSteadyClock()
  const secretStore = openSecrets(place, stage)
  const secrets = createSecretCache(secretStore, now)
  return {
    deployment,
    /** Reads from the store at each call. */
    secretStore,
    secrets,
    ...openSharedCache(cache, secrets, stage),
    publicationKey: openPublicationKey(publicationKey),
    earlierRecords,
    budgetMilliseconds: cache.budgetMilliseconds,
    now,
    random: Math.random,
    randomId,
    pause: timerPause,
    log: createPowertoolsLog(stage, logDetail),
  }
}

/**
 * Prepares the shared cache for the first request: reads the cache's keys and loads its client. To be called during the init, where
 * Lambda gives a function more CPU than later. If it fails or takes more than 2 s, the first request does the rest.
 */
export async function openEarly({ sealing, store, pause }: Pick<Ports, 'sealing' | 'store' | 'pause'>): Promise<void> {
  const opened = Promise.allSettled([sealing.digest(''), store.read([])])
  await inTime<unknown>(opened, firstCallMilliseconds, pause, () => undefined)
}
