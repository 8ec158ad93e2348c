import type { Connections } from '../configuration/connections.ts'
import type { EventBus } from '../event/event-bus.ts'
import type { Log } from '../log/log-event.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import type { Signers } from '../signing-key/signers.ts'
import { createAskFleet } from '../token/ask-fleet.ts'
import { createAsking } from '../token/asking.ts'
import { createClockOffsets } from '../token/clock-offsets.ts'
import { createCoolDowns } from '../token/cool-downs.ts'
import { createGetToken } from '../token/get-token.ts'
import type { Pause } from '../token/in-time.ts'
import { createObtainToken } from '../token/obtain-token.ts'
import { createOutcomes } from '../token/outcomes.ts'
import { createRejectToken } from '../token/reject-token.ts'
import { withRequestPolicy } from '../token/request-policy.ts'
import { createRequestRefresh } from '../token/request-refresh.ts'
import { withSecondAttempt } from '../token/second-attempt.ts'
import { withSecretsInStep } from '../token/secrets-in-step.ts'
import type { TokenMemory } from '../token/token-memory.ts'
import { createBudget } from '../token-cache/budget.ts'
import type { RecordStore } from '../token-cache/record-store.ts'
import { createSecretsMark } from '../token-cache/secrets-mark.ts'
import { withSharedRecords } from '../token-cache/shared-cool-downs.ts'
import { createSharedTokenCache } from '../token-cache/shared-token-cache.ts'
import { createTokenRecords } from '../token-cache/token-records.ts'
import type { TokenSealing } from '../token-cache/token-sealing.ts'
import { createClientKeys } from '../token-endpoint/client-keys.ts'
import type { TokenEndpoint } from '../token-endpoint/token-endpoint.ts'

/** All that is outside of the core, time and chance among it. */
export interface Ports {
  readonly connections: Connections
  readonly secrets: SecretCache
  readonly signers: Signers
  readonly tokenEndpoint: TokenEndpoint
  readonly store: RecordStore
  readonly sealing: TokenSealing
  /** Of one call to the store. */
  readonly budgetMilliseconds: number
  readonly memory: TokenMemory
  readonly memoryMaximumSeconds: number
  readonly events: EventBus
  readonly now: () => number
  readonly random: () => number
  readonly randomId: () => string
  readonly pause: Pause
  readonly log: Log
}

/** One process of a fleet: all that stands between the ports, for every function the same. */
export function createParts(ports: Ports) {
  const { connections, secrets, signers, tokenEndpoint, store, sealing, budgetMilliseconds } = ports
  const { memory, memoryMaximumSeconds, events, now, random, randomId, pause, log } = ports

  const budget = createBudget({ budgetMilliseconds, now, random, pause, log })
  const records = createTokenRecords({ store, budget, now, randomId })
  const cache = createSharedTokenCache({ records, sealing, budget, now, randomId, log })

  const clockOffsets = createClockOffsets()
  const coolDowns = withSharedRecords(createCoolDowns(now), { store, budget, sealing, now, randomId })
  const outcomes = createOutcomes(now)

  const clientKeys = createClientKeys(signers, secrets)
  const askOnce = createObtainToken({ clientKeys, tokenEndpoint, clockOffsets, now, random, randomId, log })
  const askAgain = withSecondAttempt(askOnce, { clientKeys, clockOffsets, secrets, log })
  const askInTurn = withRequestPolicy(askAgain, { coolDowns, now, random, pause, log })
  const secretsMark = createSecretsMark({ store, budget, now, randomId })
  const obtainToken = outcomes.watch(withSecretsInStep(askInTurn, { mark: secretsMark, secrets }))

  const asking = createAsking({ connections, cache, obtainToken, now, log })
  const requestRefresh = createRequestRefresh({ cache, events, now, log })
  const askFleet = createAskFleet({ cache, asking, requestRefresh, now, random, pause })
  const rejectToken = createRejectToken({ memory, cache, now })
  const getToken = createGetToken({ memory, memoryMaximumSeconds, rejectToken, askFleet, now, pause, log })
  return { getToken, rejectToken, outcomes, clockOffsets, asking, obtainToken, cache, records, secretsMark }
}
