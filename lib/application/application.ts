import type { ApiEndpoint } from '../api-call/api-endpoint.ts'
import { createApiCaller } from '../api-call/call-api.ts'
import type { Pause } from '../base/time.ts'
import type { ConnectionCache } from '../configuration/connection-cache.ts'
import type { Deployment } from '../configuration/deployment.ts'
import type { ElementStore } from '../configuration/element-store.ts'
import type { EventBus } from '../events/event-bus.ts'
import { type BudgetParts, createBudget } from '../fleet/circuit-breaker.ts'
import { createCoolDowns, withSharedRecords } from '../fleet/cool-downs.ts'
import { createTokenRecords } from '../fleet/fleet-records.ts'
import type { RecordStore } from '../fleet/record-store.ts'
import type { TokenSealing } from '../fleet/sealing.ts'
import { createSecretsMark } from '../fleet/secrets-version.ts'
import { createAskFleet, createRequestRefresh } from '../get-token/from-fleet.ts'
import { withRequestPolicy, withSecretsInStep } from '../get-token/from-server.ts'
import { createGetToken } from '../get-token/get-token.ts'
import { createAsking } from '../get-token/leased-request.ts'
import { createOutcomes } from '../get-token/outcomes.ts'
import { createRejectToken } from '../get-token/reject-token.ts'
import { withSecondAttempt } from '../get-token/second-attempt.ts'
import { createSharedTokenCache } from '../get-token/token-cache.ts'
import type { TokenMemory } from '../get-token/token-memory.ts'
import { createPublicationStore, type PublicationStoreDependencies } from '../key-lifecycle/publication-store.ts'
import { createKeyPublisher } from '../key-lifecycle/publish-keys.ts'
import { createKeyRotator } from '../key-lifecycle/rotate-key.ts'
import type { SecretRotation } from '../key-lifecycle/rotating-secret.ts'
import type { Log } from '../log/log-event.ts'
import { createAnnounce, createRenewVariants } from '../renewal/announce-renewals.ts'
import { createAnswerEvent, withKeysPublished } from '../renewal/answer-event.ts'
import { createClearConnection, createRefreshConnection } from '../renewal/refresh-connection.ts'
import { createLeaveToChange, createRenewToken } from '../renewal/renew-token.ts'
import { createPrepareToken, createPrepareTokens } from '../renewal/stage-tokens.ts'
import { createTryNewKey } from '../renewal/try-new-key.ts'
import { createWarmTokens } from '../renewal/warm-tokens.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import type { SecretStore } from '../secret/secret-store.ts'
import type { SignerCache } from '../signing/signer-cache.ts'
import { createClockOffsets } from '../token-endpoint/assertion.ts'
import { createClientKeys } from '../token-endpoint/client-authentication.ts'
import { createObtainToken } from '../token-endpoint/request-token.ts'
import type { TokenEndpoint } from '../token-endpoint/token-endpoint.ts'

/** All that is outside of the core, time and chance among it. */
export interface Ports {
  readonly connections: ConnectionCache
  readonly secrets: SecretCache
  readonly signers: SignerCache
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

/** What it takes to make an API's call with a connection's token. */
export function createApiCallParts(ports: Ports & { readonly apiEndpoint: ApiEndpoint }) {
  const { connections, apiEndpoint, now, pause, log } = ports
  const { getToken } = createParts(ports)
  return { apiCaller: createApiCaller({ connections, getToken, apiEndpoint, now, pause, log }) }
}

/** No token waits for it. */
const patientBudgetMilliseconds = 2_000

/** The published keys, for the functions that change them and for the one that shows them to anyone. */
export function createPublicationParts(
  ports: Omit<BudgetParts, 'budgetMilliseconds'> & Omit<PublicationStoreDependencies, 'budget'>,
) {
  const { store, now, random, randomId, pause, log } = ports
  const budget = createBudget({ budgetMilliseconds: patientBudgetMilliseconds, now, random, pause, log })
  return { publicationStore: createPublicationStore({ store, budget, now, randomId }) }
}

export interface RotationPorts
  extends Omit<BudgetParts, 'budgetMilliseconds'>,
    Omit<PublicationStoreDependencies, 'budget'> {
  readonly elements: ElementStore
  readonly deployment: Deployment
  /** Reads anew each time. */
  readonly secretStore: SecretStore
  readonly secretRotation: SecretRotation
}

/** What changes signing keys, and what publishes them. */
export function createRotationParts(ports: RotationPorts) {
  const { elements, deployment, secretStore: secrets, secretRotation, now, log } = ports
  const { publicationStore } = createPublicationParts(ports)
  const keyPublisher = createKeyPublisher({ elements, deployment, secrets, publicationStore, now, log })
  const forRotation = { elements, deployment, secretRotation, publicationStore, keyPublisher, now }
  return { publicationStore, keyPublisher, keyRotator: createKeyRotator(forRotation) }
}

/** The same for the functions that nobody waits for. */
export function createRenewalParts(ports: Ports & RotationPorts) {
  const { elements, deployment, connections, events, now, random, pause, log } = ports
  const { cache, records, asking, obtainToken, rejectToken, secretsMark } = createParts({
    ...ports,
    budgetMilliseconds: patientBudgetMilliseconds,
  })

  const announce = createAnnounce({ events, log })
  const leaveToChange = createLeaveToChange({ connections, events, now, log })
  const renewToken = createRenewToken({ cache, asking, leaveToChange, now, log })
  const { publicationStore, keyPublisher } = createRotationParts(ports)
  const tryNewKey = createTryNewKey({ elements, publicationStore, records, renewToken, announce, now })
  const warmTokens = createWarmTokens({ records, renewToken, tryNewKey, announce, now, random, pause, log })
  const prepareToken = createPrepareToken({ cache, obtainToken, now })
  const prepareTokens = createPrepareTokens({ prepareToken, now, pause })
  const renewVariants = createRenewVariants({ renewToken, now })
  const forConnections = { connections, records, prepareTokens, renewVariants, now, pause }
  const refreshConnection = createRefreshConnection(forConnections)
  const clearConnection = createClearConnection(forConnections)
  const forEvents = { elements, records, rejectToken, renewToken, refreshConnection, clearConnection, secretsMark }
  const answer = createAnswerEvent({ ...forEvents, events, announce, now })
  const answerEvent = withKeysPublished(answer, { elements, deployment, keyPublisher })
  return { warmTokens, answerEvent }
}
