import { randomBytes } from 'node:crypto'
import { fileRotation, fileSecrets } from '../adapters/files/file-secrets.ts'
import { memoryRecords } from '../adapters/process/memory-records.ts'
import { publishedBus } from '../adapters/process/published-bus.ts'
import type { ElementStore } from '../configuration/element-store.ts'
import { type DeadLetters, DeadLettersError } from '../events/dead-letters.ts'
import { type EventBus, EventBusError } from '../events/event-bus.ts'
import { firstCallMilliseconds } from '../fleet/circuit-breaker.ts'
import type { RecordStore } from '../fleet/record-store.ts'
import { createTokenSealing, type TokenSealing, withoutSealing } from '../fleet/sealing.ts'
import type { SecretRotation } from '../key-lifecycle/rotating-secret.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import type { SecretStore } from '../secret/secret-store.ts'
import type { TokenEndpoint } from '../token-endpoint/token-endpoint.ts'

/** Loads at the first use and keeps it: a process loads no client that it doesn't use. A failure is not kept. */
export function loadedOnce<T>(load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | undefined
  return () => {
    loading ??= load().catch((error) => {
      loading = undefined
      throw error
    })
    return loading
  }
}

/** Where elements are kept. */
export type ElementsPlace =
  | { readonly kind: 'parameter_store' }
  /** A JSON file or a folder. */
  | { readonly kind: 'files'; readonly path: string }

export function openElements(place: ElementsPlace, stage: string): ElementStore {
  const open = loadedOnce(() => importElements(place, stage))
  return {
    get: async (references) => (await open()).get(references),
    ids: async (kind) => (await open()).ids(kind),
    findings: async () => (await open()).findings(),
  }
}

async function importElements(place: ElementsPlace, stage: string): Promise<ElementStore> {
  switch (place.kind) {
    case 'parameter_store':
      return (await import('../adapters/aws/parameter-store-elements.ts')).parameterStoreElements({ stage })
    case 'files':
      return (await import('../adapters/files/file-elements.ts')).fileElements(place.path)
  }
}

/** Where secrets are kept. */
export type SecretsPlace = { readonly kind: 'secrets_manager' } | { readonly kind: 'files'; readonly folder: string }

export function openSecrets(place: SecretsPlace, stage: string): SecretStore {
  const open = loadedOnce(() => importSecrets(place, stage))
  return {
    get: async (name) => (await open()).get(name),
    getPrevious: async (name) => (await open()).getPrevious(name),
  }
}

async function importSecrets(place: SecretsPlace, stage: string): Promise<SecretStore> {
  switch (place.kind) {
    case 'secrets_manager':
      return (await import('../adapters/aws/secrets-manager-secrets.ts')).secretsManagerSecrets({ stage })
    case 'files':
      return fileSecrets(place.folder, stage)
  }
}

export function openSecretRotation(place: SecretsPlace, stage: string): SecretRotation {
  const load = loadedOnce(() => importRotation(place, stage))
  return { open: async (name, rotationToken) => (await load()).open(name, rotationToken) }
}

async function importRotation(place: SecretsPlace, stage: string): Promise<SecretRotation> {
  switch (place.kind) {
    case 'secrets_manager':
      return (await import('../adapters/aws/secrets-manager-rotation.ts')).secretsManagerRotation({ stage })
    case 'files':
      return fileRotation(place.folder, stage)
  }
}

/** Where the tokens are kept that a fleet shares. */
export type CachePlace =
  /** Of one process: for a machine that has no other. All in it who open the same name share it, else each has its own. */
  | { readonly kind: 'memory'; readonly name?: string }
  | { readonly kind: 'dynamodb'; readonly tableName: string }
  | { readonly kind: 'valkey'; readonly url: string }

export interface CacheSettings {
  readonly place: CachePlace
  /** The name of the secret that holds the keys of the cache, and what Valkey wants to know. */
  readonly secretName: string
  readonly budgetMilliseconds: number
}

export interface OpenedCache {
  readonly store: RecordStore
  readonly sealing: TokenSealing
}

const namingKeyBytes = 32
const memoryRecordsMost = 10_000

/** Functions that one process loads are a fleet: by the name of their memory. */
const named = new Map<string, OpenedCache>()

export function openSharedCache(settings: CacheSettings, secrets: SecretCache, stage: string): OpenedCache {
  const { place } = settings
  if (place.kind !== 'memory' || place.name === undefined) return openOwn(settings, secrets, stage)
  const opened = named.get(place.name) ?? openOwn(settings, secrets, stage)
  named.set(place.name, opened)
  return opened
}

function openOwn(settings: CacheSettings, secrets: SecretCache, stage: string): OpenedCache {
  const open = loadedOnce(() => importRecords(settings, secrets, stage))
  return {
    store: {
      read: async (names) => (await open()).read(names),
      write: async (name, record, expected) => (await open()).write(name, record, expected),
      due: async (until, limit) => (await open()).due(until, limit),
    },
    sealing:
      settings.place.kind === 'memory'
        ? withoutSealing(randomBytes(namingKeyBytes))
        : createTokenSealing(secrets, settings.secretName),
  }
}

async function importRecords(
  { place, ...settings }: CacheSettings,
  secrets: SecretCache,
  stage: string,
): Promise<RecordStore> {
  const { secretName, budgetMilliseconds } = settings
  const attemptMilliseconds = Math.max(firstCallMilliseconds, budgetMilliseconds)
  switch (place.kind) {
    case 'memory':
      return memoryRecords({ maximumRecords: memoryRecordsMost })
    case 'dynamodb': {
      const { tableName } = place
      return (await import('../adapters/aws/dynamodb-records.ts')).dynamodbRecords({ tableName, attemptMilliseconds })
    }
    case 'valkey': {
      const { url } = place
      const { valkeyRecords, readValkeyCredentials } = await import('../adapters/valkey/valkey-records.ts')
      const credentials = async () => readValkeyCredentials(secretName, await secrets.get(secretName))
      return valkeyRecords({ url, stage, attemptMilliseconds, credentials })
    }
  }
}

/** Where events are raised. */
export type EventsPlace =
  | { readonly kind: 'eventbridge'; readonly busName: string }
  /** This process alone. */
  | { readonly kind: 'process' }
  /** Nobody listens: every event is refused, so that whoever raises it knows. */
  | { readonly kind: 'none' }

export function openEvents(place: EventsPlace, stage: string): EventBus {
  const open = loadedOnce(() => importEvents(place, stage))
  return {
    isHeard: place.kind !== 'none',
    async raise(events) {
      if (events.length > 0) await (await open()).raise(events)
    },
  }
}

async function importEvents(place: EventsPlace, stage: string): Promise<EventBus> {
  switch (place.kind) {
    case 'eventbridge':
      return (await import('../adapters/aws/eventbridge-bus.ts')).eventbridgeBus({ busName: place.busName, stage })
    case 'process':
      return publishedBus()
    case 'none':
      return noBus
  }
}

const noBus: EventBus = {
  isHeard: false,
  async raise() {
    throw new EventBusError('No event bus is configured: nobody hears of it.')
  },
}

/** Where messages lie that nobody can make anything of. */
export type DeadLettersPlace =
  | { readonly kind: 'sqs'; readonly queueUrl: string }
  /** Nowhere: every one is refused, so that it stays in its queue. */
  | { readonly kind: 'none' }

export function openDeadLetters(place: DeadLettersPlace): DeadLetters {
  const open = loadedOnce(() => importDeadLetters(place))
  return { add: async (letter) => (await open()).add(letter) }
}

async function importDeadLetters(place: DeadLettersPlace): Promise<DeadLetters> {
  switch (place.kind) {
    case 'sqs':
      return (await import('../adapters/aws/sqs-dead-letters.ts')).sqsDeadLetters(place)
    case 'none':
      return noDeadLetters
  }
}

const noDeadLetters: DeadLetters = {
  async add() {
    throw new DeadLettersError('No dead-letter queue is configured: the message stays in its queue.')
  },
}

/** Loaded by the first token request: an instance that finds its tokens in the shared cache makes none. */
export function openTokenEndpoint(secrets: SecretCache, now: () => number): TokenEndpoint {
  const open = loadedOnce(async () =>
    (await import('../adapters/http/undici-token-endpoint.ts')).undiciTokenEndpoint(secrets, now),
  )
  return { post: async (server, request) => (await open()).post(server, request) }
}
