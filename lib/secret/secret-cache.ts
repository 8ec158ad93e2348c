import { createSingleFlight } from '../base/single-flight.ts'
import type { Secret } from './secret.ts'
import { SecretError, type SecretStore } from './secret-store.ts'

/** Longest time that a process goes on with a secret that the store no longer holds. */
const maximumAgeMilliseconds = 5 * 60_000
/** Before a store that could not be reached, or a secret or version that was just read out of turn, is read again. */
const pauseMilliseconds = 10_000

interface Entry<T> {
  /** Of a reading that may be under way: callers at the same moment share it. */
  readonly secret: Promise<T>
  readonly readAgainAt: number
}

interface CurrentEntry extends Entry<Secret> {
  readonly refreshedAt: number
}

/** The secrets of one process: each read at its first use and again when it is too old. A `SecretStore` itself. */
export type SecretCache = ReturnType<typeof createSecretCache>

/** If the store can't be reached, the cached secret serves on. */
export function createSecretCache(store: SecretStore, now: () => number) {
  const entries = new Map<string, CurrentEntry>()
  const previousEntries = new Map<string, Entry<Secret | undefined>>()
  const refreshes = createSingleFlight<boolean>()

  /** Its errors are those of the store. */
  async function get(name: string): Promise<Secret> {
    const entry = entries.get(name)
    return await (entry && now() < entry.readAgainAt ? entry.secret : read(name))
  }

  /** The version before the current one, read at most once in 10 s. Its errors are those of the store. */
  async function getPrevious(name: string): Promise<Secret | undefined> {
    const kept = previousEntries.get(name)
    if (kept && now() < kept.readAgainAt) return await kept.secret
    const secret = store.getPrevious(name)
    previousEntries.set(name, { secret, readAgainAt: now() + pauseMilliseconds })
    return await secret
  }

  /**
   * Reads a secret out of turn, at most once in 10 s.
   * @returns whether the store holds another secret now
   * @throws {SecretError}
   */
  async function refresh(name: string): Promise<boolean> {
    return await refreshes.join(name, () => readOutOfTurn(name))
  }

  /** Lets the next caller read a secret again that turned out to be of no use. */
  function forget(name: string): void {
    entries.delete(name)
  }

  /** Lets the next caller of each secret read it again, as the store may hold another one by now. */
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
