import { createSingleFlight } from '../base/single-flight.ts'
import type { Secret } from './secret.ts'
import { SecretError, type SecretStore } from './secret-store.ts'

/** The longest time that an instance uses a secret that the store no longer holds. */
const maximumAgeMilliseconds = 5 * 60_000
/** The wait before the next read: after the store could not be reached, and after a secret or version was read out of turn. */
const pauseMilliseconds = 10_000

interface Entry<T> {
  /** Callers at the same time share one read. */
  readonly secret: Promise<T>
  readonly readAgainAt: number
}

interface CurrentEntry extends Entry<Secret> {
  readonly refreshedAt: number
}

/** The secrets of one instance. Each is read at its first use, and again when it is too old. It is itself a `SecretStore`. */
export type SecretCache = ReturnType<typeof createSecretCache>

/** If the store can't be reached, the cached secret stays in use. */
export function createSecretCache(store: SecretStore, now: () => number) {
  const entries = new Map<string, CurrentEntry>()
  const previousEntries = new Map<string, Entry<Secret | undefined>>()
  const refreshes = createSingleFlight<boolean>()

  /** @throws {SecretError} as the store does */
  async function get(name: string): Promise<Secret> {
    const entry = entries.get(name)
    return await (entry && now() < entry.readAgainAt ? entry.secret : read(name))
  }

  /**
   * The version before the current one, read at most once in 10 s.
   * @throws {SecretError} as the store does
   */
  async function getPrevious(name: string): Promise<Secret | undefined> {
    const kept = previousEntries.get(name)
    if (kept && now() < kept.readAgainAt) return await kept.secret
    const secret = store.getPrevious(name)
    previousEntries.set(name, { secret, readAgainAt: now() + pauseMilliseconds })
    return await secret
  }

  /**
   * Reads a secret before it is too old, at most once in 10 s.
   * @returns whether the store now holds another secret
   * @throws {SecretError}
   */
  async function refresh(name: string): Promise<boolean> {
    return await refreshes.join(name, () => readOutOfTurn(name))
  }

  /** Makes the next caller read a secret again, because the cached one can't be used. */
  function forget(name: string): void {
    entries.delete(name)
  }

  /** Makes the next caller of each secret read it again, because the store may now hold another one. */
  function readAllAgain(): void {
    for (const [name, entry] of entries) entries.set(name, { ...entry, readAgainAt: -Infinity })
    previousEntries.clear()
  }

  async function readOutOfTurn(name: string): Promise<boolean> {
    const entry = entries.get(name)
    if (entry && now() < entry.refreshedAt + pauseMilliseconds) return false
    const before = await entry?.secret
    const after = await read(name, now())
    return before !== undefined && !before.equals(after)
  }

  function read(name: string, refreshedAt = -Infinity): Promise<Secret> {
    const before = entries.get(name)
    const secret: Promise<Secret> = store.get(name).catch((error) => {
      const isLatest = entries.get(name)?.secret === secret
      if (!before || !(error instanceof SecretError) || !error.isPassing) {
        if (isLatest) entries.delete(name)
        throw error
      }
      if (isLatest) entries.set(name, { ...before, readAgainAt: now() + pauseMilliseconds, refreshedAt })
      return before.secret
    })
    entries.set(name, { secret, readAgainAt: now() + maximumAgeMilliseconds, refreshedAt })
    return secret
  }

  return { get, getPrevious, refresh, forget, readAllAgain }
}
