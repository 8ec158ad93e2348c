import { randomBytes } from 'node:crypto'
import type { SecretCache } from '../secret/secret-cache.ts'
import { firstCallMilliseconds } from '../token-cache/budget.ts'
import type { RecordStore } from '../token-cache/record-store.ts'
import { createTokenSealing, type TokenSealing, withoutSealing } from '../token-cache/token-sealing.ts'
import { loadedOnce } from './loaded-once.ts'
import { memoryRecords } from './memory-records.ts'
import { readValkeyCredentials } from './valkey-credentials.ts'

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
  const open = loadedOnce(() => load(settings, secrets, stage))
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

async function load({ place, ...settings }: CacheSettings, secrets: SecretCache, stage: string): Promise<RecordStore> {
  const { secretName, budgetMilliseconds } = settings
  const attemptMilliseconds = Math.max(firstCallMilliseconds, budgetMilliseconds)
  switch (place.kind) {
    case 'memory':
      return memoryRecords({ maximumRecords: memoryRecordsMost })
    case 'dynamodb': {
      const { tableName } = place
      return (await import('./dynamodb-records.ts')).dynamodbRecords({ tableName, attemptMilliseconds })
    }
    case 'valkey': {
      const credentials = async () => readValkeyCredentials(secretName, await secrets.get(secretName))
      const { url } = place
      return (await import('./valkey-records.ts')).valkeyRecords({ url, stage, attemptMilliseconds, credentials })
    }
  }
}
