import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { lruTokenMemory } from '../../lib/adapters/lru-token-memory.ts'
import { openElements } from '../../lib/adapters/open-elements.ts'
import { openSecrets } from '../../lib/adapters/open-secrets.ts'
import { openSharedCache } from '../../lib/adapters/open-shared-cache.ts'
import { powertoolsLog } from '../../lib/adapters/powertools-log.ts'
import { withPowertoolsMetrics } from '../../lib/adapters/powertools-metrics.ts'
import { publishedLog } from '../../lib/adapters/published-log.ts'
import { createSteadyClock } from '../../lib/adapters/steady-clock.ts'
import { undiciTokenEndpoint } from '../../lib/adapters/undici-token-endpoint.ts'
import { createConnections } from '../../lib/configuration/connections.ts'
import { createSecretCache } from '../../lib/secret/secret-cache.ts'
import { createSigners } from '../../lib/signing-key/signers.ts'
import { createAskFleet } from '../../lib/token/ask-fleet.ts'
import { createClockOffsets } from '../../lib/token/clock-offsets.ts'
import { createCoolDowns } from '../../lib/token/cool-downs.ts'
import { createGetToken } from '../../lib/token/get-token.ts'
import type { Pause } from '../../lib/token/in-time.ts'
import { createObtainToken } from '../../lib/token/obtain-token.ts'
import { createOutcomes } from '../../lib/token/outcomes.ts'
import { createRejectToken } from '../../lib/token/reject-token.ts'
import { withRequestPolicy } from '../../lib/token/request-policy.ts'
import { withSecondAttempt } from '../../lib/token/second-attempt.ts'
import { createBudget } from '../../lib/token-cache/budget.ts'
import { withSharedRecords } from '../../lib/token-cache/shared-cool-downs.ts'
import { createSharedTokenCache } from '../../lib/token-cache/shared-token-cache.ts'
import { createTokenRecords } from '../../lib/token-cache/token-records.ts'
import { readEnvironment } from './environment.ts'
import { createHandler } from './handler.ts'

const environment = readEnvironment(process.env)
const { surroundings, memoryMaximumSeconds } = environment
const now = createSteadyClock()
const random = Math.random
const randomId = () => randomBytes(16).toString('base64url')
const pause: Pause = (milliseconds, signal) => setTimeout(milliseconds, undefined, { signal })
const log = withPowertoolsMetrics(publishedLog(powertoolsLog(surroundings.stage)), surroundings.stage)

const elements = openElements(environment.elements, surroundings.stage)
const secrets = createSecretCache(openSecrets(environment.secrets, surroundings.stage), now)
const { store, sealing } = openSharedCache(environment.cache, secrets, surroundings.stage)

const connections = createConnections({ elements, surroundings, now, log })
const signers = createSigners(secrets)
const tokenEndpoint = undiciTokenEndpoint(secrets)

const budget = createBudget({ ...environment.cache, now, random, pause, log })
const records = createTokenRecords({ store, budget, now, randomId })
const cache = createSharedTokenCache({ records, sealing, budget, now, randomId, log })
const memory = lruTokenMemory({ maximumTokens: 10_000 })

const clockOffsets = createClockOffsets()
const coolDowns = withSharedRecords(createCoolDowns(now), { store, budget, sealing, now, randomId })
const outcomes = createOutcomes(now)

const askOnce = createObtainToken({ signers, secrets, tokenEndpoint, clockOffsets, now, random, randomId, log })
const askAgain = withSecondAttempt(askOnce, { clockOffsets, secrets, log })
const obtainToken = outcomes.watch(withRequestPolicy(askAgain, { coolDowns, now, random, pause, log }))
const askFleet = createAskFleet({ connections, cache, obtainToken, now, random, pause, log })
const rejectToken = createRejectToken({ memory, cache, now })
const getToken = createGetToken({ memory, memoryMaximumSeconds, rejectToken, askFleet, now, pause, log })

export const handler = createHandler({
  ...environment,
  getToken,
  rejectToken,
  elements,
  outcomes,
  clockOffsets,
  now,
  log,
})
