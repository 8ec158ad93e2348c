import { randomBytes } from 'node:crypto'
import { fileSecrets } from '../adapters/files/file-secrets.ts'
import { memoryRecords } from '../adapters/process/memory-records.ts'
import { createLazy } from '../base/single-flight.ts'
import { firstCallMilliseconds } from '../fleet/circuit-breaker.ts'
import type { RecordStore } from '../fleet/record-store.ts'
import { createSealing, type Sealing, withoutSealing } from '../fleet/sealing.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import type { SecretStore } from '../secret/secret-store.ts'

/** Where secrets are kept. */
export type SecretsPlace = { readonly kind: 'secrets_manager' } | { readonly kind: 'files'; readonly folder: string }

export function openSecrets(place: SecretsPlace, stage: string): SecretStore {
  const adapter = createLazy(() => importSecrets(place, stage))
  return {
    get: async (name) => await (await adapter.get()).get(name),
    getPrevious: async (name) => await (await adapter.get()).getPrevious(name),
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

/** Where the shared cache is. */
export type CachePlace =
  /** Memory of one process, for use on one machine. Functions that open the same name share it. Without a name each has its own. */
  | { readonly kind: 'memory'; readonly name?: string }
  | { readonly kind: 'dynamodb'; readonly tableName: string }
  | { readonly kind: 'valkey'; readonly url: string }

export interface CacheSettings {
  readonly place: CachePlace
  /** The name of the secret that holds the cache's keys, and the credentials for Valkey. */
  readonly secretName: string
  readonly budgetMilliseconds: number
}

export interface OpenedCache {
  readonly store: RecordStore
  readonly sealing: Sealing
}

const namingKeyBytes = 32
const memoryRecordsMost = 10_000

/** Functions in one process that use the same named memory are a fleet. */
const named = new Map<string, OpenedCache>()

export function openSharedCache(settings: CacheSettings, secrets: SecretCache, stage: string): OpenedCache {
  const { place } = settings
  if (place.kind !== 'memory' || place.name === undefined) return openOwn(settings, secrets, stage)
  const opened = named.get(place.name) ?? openOwn(settings, secrets, stage)
  named.set(place.name, opened)
  return opened
}

function openOwn(settings: CacheSettings, secrets: SecretCache, stage: string): OpenedCache {
  const adapter = createLazy(() => importRecords(settings, secrets, stage))
  return {
    store: {
      read: async (names) => await (await adapter.get()).read(names),
      write: async (name, record, expected) => await (await adapter.get()).write(name, record, expected),
      due: async (until, limit) => await (await adapter.get()).due(until, limit),
    },
    sealing:
      settings.place.kind === 'memory'
        ? withoutSealing(randomBytes(namingKeyBytes))
        : createSealing(secrets, settings.secretName),
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
      const valkey = await import('../adapters/valkey/valkey-records.ts')
      const credentials = valkey.credentialsInSecret(secretName, secrets)
      return valkey.valkeyRecords({ url, stage, attemptMilliseconds, credentials })
    }
  }
}
