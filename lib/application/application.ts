import type { CallerRequest } from '../access-token/token.ts'
import { demandCertificateSubject } from '../admission/client-certificate.ts'
import { type OfferedRequests, offeredRequests } from '../admission/offered-requests.ts'
import type { ApiAnswer, ApiEndpoint } from '../api-call/api-endpoint.ts'
import { type ApiCall, createApiCaller } from '../api-call/call-api.ts'
import type { Pause } from '../base/time.ts'
import type { ConnectionCache } from '../configuration/connection-cache.ts'
import type { Deployment } from '../configuration/deployment.ts'
import type { ElementStore } from '../configuration/element-store.ts'
import type { ConnectionFilter } from '../configuration/inspect-elements.ts'
import type { MetadataSource } from '../discovery/metadata-source.ts'
import { createTokenEndpoints } from '../discovery/token-endpoints.ts'
import type { EventBus } from '../events/event-bus.ts'
import { createAuthenticRecords, type EarlierRecords } from '../fleet/authentic-records.ts'
import { createSecretsVersionChanger } from '../fleet/change-secrets-version.ts'
import { type CircuitBreaker, createCircuitBreaker } from '../fleet/circuit-breaker.ts'
import { createClearing } from '../fleet/clearing.ts'
import { createCoolDownRegistry } from '../fleet/cool-downs.ts'
import { createFleetRecords } from '../fleet/fleet-records.ts'
import type { RecordStore } from '../fleet/record-store.ts'
import type { Sealing } from '../fleet/sealing.ts'
import { createSecretsVersion } from '../fleet/secrets-version.ts'
import { createAttempts } from '../get-token/attempts.ts'
import { type ConnectionStatuses, createOutcomeLog, createStatusReader } from '../get-token/connection-status.ts'
import { createCoolDownPolicy } from '../get-token/cool-down-policy.ts'
import { createFromFleet } from '../get-token/from-fleet.ts'
import { createFromServer } from '../get-token/from-server.ts'
import { createTokenProvider, type HandedOutToken, type TokenProvider } from '../get-token/get-token.ts'
import { createLocalTokens } from '../get-token/local-tokens.ts'
import { createTokenRejecter, type RejectionOutcome } from '../get-token/reject-token.ts'
import { createSecondAttemptPolicy } from '../get-token/second-attempt.ts'
import { createSecretsInStep } from '../get-token/secrets-in-step.ts'
import { createTokenCache } from '../get-token/token-cache.ts'
import type { TokenMemory } from '../get-token/token-memory.ts'
import { createPinnedKeys } from '../key-lifecycle/pinned-keys.ts'
import type { PublicationSigner } from '../key-lifecycle/publication-key.ts'
import { createPublicationReader, createPublicationStore } from '../key-lifecycle/publication-store.ts'
import { createKeyPublisher } from '../key-lifecycle/publish-keys.ts'
import type { Publication } from '../key-lifecycle/published-keys.ts'
import { createKeyRevoker } from '../key-lifecycle/revoke-key.ts'
import { createKeyRotator, type RotationRequest } from '../key-lifecycle/rotate-key.ts'
import type { SecretRotation } from '../key-lifecycle/rotating-secret.ts'
import { createPublicationSigning } from '../key-lifecycle/sign-publications.ts'
import { createUnrevokedPublications } from '../key-lifecycle/unrevoked-publications.ts'
import type { Log } from '../log/log-event.ts'
import { createAnnouncer } from '../renewal/announce-renewals.ts'
import { createEventAnswerer } from '../renewal/answer-event.ts'
import type { IncomingEvent } from '../renewal/incoming-event.ts'
import { createConnectionRefresher } from '../renewal/refresh-connection.ts'
import { createTokenRenewer } from '../renewal/renew-token.ts'
import { createDateReporter } from '../renewal/report-dates.ts'
import { createTokenStager } from '../renewal/stage-tokens.ts'
import { createNewKeyTrials } from '../renewal/try-new-key.ts'
import { createWarmRunner, type WarmRun } from '../renewal/warm-tokens.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import type { SecretStore } from '../secret/secret-store.ts'
import { createAssertionMakers } from '../signing/assertion-makers.ts'
import type { KeyService } from '../signing/key-service.ts'
import { createKmsSigners } from '../signing/kms-signers.ts'
import { createSecretDates, type TlsCertificates } from '../signing/secret-dates.ts'
import type { SignerCache } from '../signing/signer-cache.ts'
import type { WebIdentity } from '../signing/web-identity.ts'
import { createClockOffsets } from '../token-endpoint/clock-offset.ts'
import { createRequestKeySource } from '../token-endpoint/request-keys.ts'
import { createTokenClient } from '../token-endpoint/token-client.ts'
import type { TokenEndpoint } from '../token-endpoint/token-endpoint.ts'

/** The ports that code needs to use the fleet's shared records. */
export interface StorePorts {
  readonly store: RecordStore
  readonly publicationKey: PublicationSigner
  readonly now: () => number
  readonly random: () => number
  readonly randomId: () => string
  readonly pause: Pause
  readonly log: Log
}

/** Everything outside of the core, including time and chance. */
export interface Ports extends StorePorts {
  readonly deployment: Deployment
  readonly elements: ElementStore
  readonly connections: ConnectionCache
  /** Reads from the store at each call. */
  readonly secretStore: SecretStore
  readonly secrets: SecretCache
  readonly secretRotation: SecretRotation
  readonly signers: SignerCache
  readonly keyService: KeyService
  readonly webIdentity: WebIdentity
  readonly certificates: TlsCertificates
  readonly tokenEndpoint: TokenEndpoint
  readonly metadataSource: MetadataSource
  readonly sealing: Sealing
  readonly earlierRecords: EarlierRecords
  /** The limit for one call to the store while a caller waits. */
  readonly budgetMilliseconds: number
  readonly memory: TokenMemory
  readonly memoryMaximumSeconds: number
  readonly events: EventBus
}

/** The limit for one call to the store in background work, where many calls run at the same time. */
const patientBudgetMilliseconds = 2_000

/*
 * One application for each kind of function, so that a function loads only what it needs. Deadlines are milliseconds since the
 * epoch.
 */

/** The requests of callers for tokens. */
export type Application = ReturnType<typeof createApplication>

export function createApplication(ports: Ports) {
  const { elements, deployment, connections, secrets, certificates, now } = ports
  const tiers = createTiers(ports)
  const { rejections, outcomes, clockOffsets } = tiers
  const tokens = createTokens(ports, tiers)
  const statusReader = createStatusReader({
    ...{ elements, deployment, secrets, certificates, outcomes, clockOffsets, now },
  })

  return {
    async demandCertificateSubject(connection: string, subject: string): Promise<void> {
      await demandCertificateSubject(connections, connection, subject)
    },
    async getToken(request: CallerRequest, deadline: number): Promise<HandedOutToken> {
      return await tokens.get(request, deadline)
    },
    async rejectToken(connection: string, tokenId: string): Promise<RejectionOutcome> {
      return await rejections.dropAndReplace(connection, tokenId)
    },
    async offeredRequests(connection: string): Promise<OfferedRequests> {
      return offeredRequests((await connections.get(connection)).connection)
    },
    async listConnections(filter: ConnectionFilter | undefined): Promise<ConnectionStatuses> {
      return await statusReader.read(filter)
    },
  }
}

/** The requests of callers for API calls. */
export type CallingApplication = ReturnType<typeof createCallingApplication>

export function createCallingApplication(ports: Ports & { readonly apiEndpoint: ApiEndpoint }) {
  const { connections, secrets, apiEndpoint, now, pause, log } = ports
  const tokens = createTokens(ports, createTiers(ports))
  const apiCaller = createApiCaller({ connections, tokens, secrets, apiEndpoint, now, pause, log })

  return {
    async demandCertificateSubject(connection: string, subject: string): Promise<void> {
      await demandCertificateSubject(connections, connection, subject)
    },
    async callApi(call: ApiCall, deadline: number): Promise<ApiAnswer> {
      return await apiCaller.call(call, deadline)
    },
  }
}

/** Work in the background, for the schedule, an event or a rotation. */
export type BackgroundApplication = ReturnType<typeof createBackgroundApplication>

export function createBackgroundApplication(ports: Ports) {
  const { deployment, elements, connections, secretStore: secrets, secretRotation, keyService } = ports
  const { store, publicationKey, events, now, random, randomId, pause, log } = ports
  const tiers = createTiers({ ...ports, budgetMilliseconds: patientBudgetMilliseconds })
  const { records, cache, fromServer, fromFleet, rejections } = tiers

  const shared = { store: tiers.store, breaker: tiers.breaker, now, randomId }
  const clearing = createClearing(shared)
  const secretsVersion = createSecretsVersionChanger(shared)

  // Signing keys.
  const breaker = createPatientBreaker(ports)
  const publicationStore = createPublicationStore({ store, publicationKey, breaker, now, randomId, log })
  // Reads the record without a check of its authenticity: rotate-key may not read the cache's keys, which the check needs.
  const storedSecretsVersion = createSecretsVersion({ store, breaker, now })
  const publications = createUnrevokedPublications({ secretsVersion: storedSecretsVersion, publicationStore, now })
  const keyPublisher = createKeyPublisher({
    ...{ elements, deployment, secrets, keyService, publicationStore, publications, now, log },
  })
  const publicationSigning = createPublicationSigning({ elements, publicationStore, keyPublisher, now, pause })
  const keyRotator = createKeyRotator({
    ...{ elements, deployment, secretRotation, publicationStore, publications, keyPublisher, now },
  })
  const keyRevoker = createKeyRevoker({
    ...{ elements, deployment, secretsVersion, publicationStore, keyPublisher, now, log },
  })

  // Renewals.
  const announcer = createAnnouncer({ events, log })
  const renewer = createTokenRenewer({ connections, cache, fromFleet, events, now, log })
  const newKeyTrials = createNewKeyTrials({ elements, connections, publicationStore, records, renewer, announcer, now })
  const warmRunner = createWarmRunner({ records, renewer, newKeyTrials, announcer, now, random, pause, log })
  const stager = createTokenStager({ cache, fromServer, now, pause })
  const refresher = createConnectionRefresher({ connections, records, stager, renewer, now, pause, log })
  const secretDates = createSecretDates({ secrets: ports.secrets, certificates: ports.certificates })
  const dateReporter = createDateReporter({ connections, secretDates, now, pause, log })
  const eventAnswerer = createEventAnswerer({
    ...{ elements, deployment, records, rejections, renewer, refresher, dateReporter },
    ...{ secretsVersion, clearing, keyPublisher, keyRevoker, events, announcer, now, log },
  })

  return {
    async warmTokens(deadline: number): Promise<WarmRun> {
      return await warmRunner.run(deadline)
    },
    async answerEvent(event: IncomingEvent, deadline: number): Promise<void> {
      await eventAnswerer.answer(event, deadline)
    },
    async rotateKey(request: RotationRequest, deadline: number): Promise<void> {
      await keyRotator.runStep(request, deadline)
    },
    async signPublications(deadline: number): Promise<void> {
      await publicationSigning.signAll(deadline)
    },
    async publishKeys(jwtBuilders: readonly string[], deadline: number): Promise<void> {
      await keyPublisher.publish(jwtBuilders, deadline)
    },
  }
}

/** Adds the memory, the first tier of the token cache, to the other tiers. */
function createTokens(ports: Ports, { rejections, fromFleet }: ReturnType<typeof createTiers>): TokenProvider {
  const { connections, memory, memoryMaximumSeconds, now, pause, log } = ports
  return createTokenProvider({ connections, memory, memoryMaximumSeconds, rejections, fromFleet, now, pause, log })
}

/** The other tiers of the token cache, and the parts that they use. */
function createTiers(ports: Ports) {
  const { connections, secrets, signers, keyService, publicationKey, tokenEndpoint, metadataSource } = ports
  const { sealing, earlierRecords, budgetMilliseconds, memory, events, now, random, randomId, pause, log } = ports

  // The fleet.
  const breaker = createCircuitBreaker({ budgetMilliseconds, now, random, pause, log })
  // Not for published keys: publish-keys reads them without the cache's keys.
  const store = createAuthenticRecords({ store: ports.store, sealing, earlierRecords, log })
  const records = createFleetRecords({ store, breaker, now, randomId })
  const secretsVersion = createSecretsVersion({ store, breaker, now })
  const coolDowns = createCoolDownRegistry({ store, breaker, sealing, now, randomId })
  const cache = createTokenCache({ records, sealing, breaker, now, randomId, log })

  // The authorization server.
  const clockOffsets = createClockOffsets()
  const pinnedKeys = createPinnedKeys({ store: ports.store, breaker, publicationKey, now, log })
  const kmsSigners = createKmsSigners({ keyService, pinnedKeys, now })
  const makers = createAssertionMakers(signers, kmsSigners, ports.webIdentity)
  const keys = createRequestKeySource(makers, secrets)
  const tokenClient = createTokenClient({ keys, tokenEndpoint, clockOffsets, now, randomId, random, log })
  const tokenEndpoints = createTokenEndpoints({ source: metadataSource, events, now, pause, log })
  const outcomes = createOutcomeLog(now)
  const secondAttempts = createSecondAttemptPolicy({ keys, clockOffsets, secrets, log })
  const fromServer = createFromServer({
    ...{ connections, cache, outcomes, now, random, pause, log },
    secretsInStep: createSecretsInStep({ secretsVersion, secrets, signers, kmsSigners }),
    coolDownPolicy: createCoolDownPolicy({ coolDowns, secrets, log }),
    attempts: createAttempts({ tokenClient, secondAttempts, tokenEndpoints, now }),
    localTokens: createLocalTokens({ makers, now, random, randomId, log }),
  })

  const fromFleet = createFromFleet({ connections, memory, cache, fromServer, events, now, random, pause, log })
  const rejections = createTokenRejecter({ memory, cache, events, now, log })
  return { store, breaker, records, cache, clockOffsets, outcomes, fromServer, fromFleet, rejections }
}

/** The requests that need no authentication. The public function holds nothing else. */
export type PublicApplication = ReturnType<typeof createPublicApplication>

export function createPublicApplication(ports: StorePorts) {
  const { store, publicationKey, now, log } = ports
  const breaker = createPatientBreaker(ports)
  const publicationReader = createPublicationReader({ store, publicationKey, breaker, now, log })
  return {
    async readPublishedKeys(jwtBuilder: string, waitUntil: number): Promise<Publication | undefined> {
      return await publicationReader.readRemembered(jwtBuilder, waitUntil)
    },
  }
}

function createPatientBreaker({ now, random, pause, log }: StorePorts): CircuitBreaker {
  return createCircuitBreaker({ budgetMilliseconds: patientBudgetMilliseconds, now, random, pause, log })
}
