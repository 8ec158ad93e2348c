import { openSecrets } from '../adapters/open-secrets.ts'
import { openSharedCache } from '../adapters/open-shared-cache.ts'
import { powertoolsLog } from '../adapters/powertools-log.ts'
import { withPowertoolsMetrics } from '../adapters/powertools-metrics.ts'
import { publishedLog } from '../adapters/published-log.ts'
import { randomId } from '../adapters/random-id.ts'
import { createSteadyClock } from '../adapters/steady-clock.ts'
import { timerPause } from '../adapters/timer-pause.ts'
import { createSecretCache } from '../secret/secret-cache.ts'
import type { Environment } from './environment.ts'

/** Of all that the environment names, what it takes to use the shared records, and to tell of it. */
export function openStorePorts({ surroundings, secrets: place, cache }: Environment) {
  const { stage } = surroundings
  const now = createSteadyClock()
  const secretStore = openSecrets(place, stage)
  const secrets = createSecretCache(secretStore, now)
  return {
    surroundings,
    /** Reads anew each time. */
    secretStore,
    secrets,
    ...openSharedCache(cache, secrets, stage),
    budgetMilliseconds: cache.budgetMilliseconds,
    now,
    random: Math.random,
    randomId,
    pause: timerPause,
    log: withPowertoolsMetrics(publishedLog(powertoolsLog(stage)), stage),
  }
}
