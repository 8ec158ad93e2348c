import { randomBytes } from 'node:crypto'
import { lruTokenMemory } from '../../lib/adapters/lru-token-memory.ts'
import { memoryRecords } from '../../lib/adapters/memory-records.ts'
import type { Connections } from '../../lib/configuration/connections.ts'
import type { Log } from '../../lib/log/log-event.ts'
import type { SecretCache } from '../../lib/secret/secret-cache.ts'
import type { Signers } from '../../lib/signing-key/signers.ts'
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
import type { TokenMemory } from '../../lib/token/token-memory.ts'
import { createBudget } from '../../lib/token-cache/budget.ts'
import type { RecordStore } from '../../lib/token-cache/record-store.ts'
import { withSharedRecords } from '../../lib/token-cache/shared-cool-downs.ts'
import { createSharedTokenCache } from '../../lib/token-cache/shared-token-cache.ts'
import { createTokenRecords } from '../../lib/token-cache/token-records.ts'
import { type TokenSealing, withoutSealing } from '../../lib/token-cache/token-sealing.ts'
import type { TokenEndpoint } from '../../lib/token-endpoint/token-endpoint.ts'

export interface Ports {
  readonly connections: Connections
  readonly secrets: SecretCache
  readonly signers: Signers
  readonly tokenEndpoint: TokenEndpoint
  readonly now: () => number
  readonly pause: Pause
  readonly log: Log
  readonly random?: () => number
  readonly randomId?: () => string
  readonly memory?: TokenMemory
  readonly memoryMaximumSeconds?: number
  readonly store?: RecordStore
  readonly sealing?: TokenSealing
  readonly budgetMilliseconds?: number
}

/** One process of a fleet: all that stands between the ports, joined as the function joins it. */
export function theParts(ports: Ports) {
  const { random = () => 0.5, randomId = () => randomBytes(16).toString('base64url'), ...given } = ports
  const { memory = lruTokenMemory({ maximumTokens: 1_000 }), memoryMaximumSeconds = Infinity, ...rest } = given
  const { store = memoryRecords({ maximumRecords: 1_000 }), sealing = withoutSealing(new Uint8Array(32)) } = rest
  const { connections, secrets, signers, tokenEndpoint, now, pause, log, budgetMilliseconds = 250 } = rest
  const budget = createBudget({ budgetMilliseconds, now, random, pause, log })
  const records = createTokenRecords({ store, budget, now, randomId })
  const cache = createSharedTokenCache({ records, sealing, budget, now, randomId, log })
  const clockOffsets = createClockOffsets()
  const coolDowns = withSharedRecords(createCoolDowns(now), { store, budget, sealing, now, randomId })
  const outcomes = createOutcomes(now)
  const askOnce = createObtainToken({ signers, secrets, tokenEndpoint, clockOffsets, now, random, randomId, log })
  const askAgain = withSecondAttempt(askOnce, { clockOffsets, secrets, log })
  const obtainToken = outcomes.watch(withRequestPolicy(askAgain, { coolDowns, now, random, pause, log }))
  const askFleet = createAskFleet({ connections, cache, obtainToken, now, random, pause, log })
  const rejectToken = createRejectToken({ memory, cache, now })
  const getToken = createGetToken({ memory, memoryMaximumSeconds, rejectToken, askFleet, now, pause, log })
  return { getToken, rejectToken, memory, cache, outcomes, clockOffsets }
}
