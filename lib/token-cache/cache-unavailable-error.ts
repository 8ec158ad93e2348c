/** The shared cache can't be asked now: a slow day, no outage. Requests go on without it. */
export class CacheUnavailableError extends Error {
  override readonly name = 'CacheUnavailableError'
}

/** What the call brings, or that where the cache can't be asked. */
export function unlessUnavailable<T, U>(call: () => Promise<T>, instead: U): Promise<T | U> {
  return call().catch((error) => {
    if (error instanceof CacheUnavailableError) return instead
    throw error
  })
}
