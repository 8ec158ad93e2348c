import { type Failed, type OfConnection, row, type Took } from './event-row.ts'

/** Elements that are read again, and the shared cache. */
export const cacheEvents = {
  /** The elements can't be read again, or have mistakes now. The last valid elements stay in use. */
  reload_failed: row<OfConnection & Failed>({
    level: 'warn',
    metrics: () => ({ ReloadsFailed: 1 }),
    dimensions: ['connection'],
    sentence: (event) =>
      `The elements of the connection ${event.connection} cannot be read again, so the last valid ones stay in use: ${event.reason}`,
    isShownWhileServing: true,
  }),
  /** The shared cache failed or was too slow. For a while this instance works without it. */
  cache_passed_over: row<Took & { readonly reason: string }>({
    level: 'warn',
    metrics: () => ({ CacheBudgetExceeded: 1 }),
    sentence: (event) =>
      `The shared cache failed after ${event.milliseconds} ms. For a few seconds, this instance works without it and requests its own tokens: ${event.reason}`,
  }),
  /** The store did not take a record, because it is too large or the store is full. Its content is not shared. */
  record_not_taken: row<{ readonly reason: string }>({
    level: 'warn',
    metrics: () => ({ RecordsNotTaken: 1 }),
    sentence: (event) => `The shared cache did not take a record, so its content is not shared: ${event.reason}`,
  }),
  /** The record was not written with the keys of the cache. It counts as empty, and the next write replaces it. */
  record_not_authentic: row<{ readonly record: string }>({
    level: 'warn',
    metrics: () => ({ RecordsNotAuthentic: 1 }),
    sentence: (event) =>
      `The record ${event.record} has a wrong MAC and counts as empty. If nobody changed the naming key, check who may write to the shared cache.`,
  }),
  /** The shared cache holds something that is not a token. It counts as a miss. */
  cached_token_unreadable: row<OfConnection & { readonly reason: string }>({
    level: 'warn',
    sentence: (event) =>
      `A token of the connection ${event.connection} in the shared cache cannot be read: ${event.reason}`,
  }),
} as const
