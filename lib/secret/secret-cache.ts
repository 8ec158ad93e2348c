import type { Secret } from './secret.ts'
import { SecretError, type SecretStore } from './secret-store.ts'

/** Longest time that a process goes on with a secret that the store no longer holds. */
const maximumAgeMilliseconds = 5 * 60_000
/** Before a store that could not be reached, or a secret or version that was just read out of turn, is asked again. */
const pauseMilliseconds = 10_000

/** The secrets of one process: each read at its first use and again when it is too old. */
export interface SecretCache extends SecretStore {
  /**
   * Reads it out of turn, unless that was done a moment ago.
   * @returns whether the store holds another one now
   * @throws {SecretError}
   */
  refresh(name: string): Promise<boolean>
  /** The store may hold others by now: each is read again by who next asks for it. */
  readAllAgain(): void
  /** What it holds is of no use: the next one who asks reads it again. */
  forget(name: string): void
}

interface Entry {
  readonly secret: Promise<Secret>
  readonly readAgainAt: number
  readonly refreshedAt: number
}

/** While the store can't be reached, the secret in hand serves on. */
export function createSecretCache(store: SecretStore, now: () => number): SecretCache {
  const entries = new Map<string, Entry>()
  const refreshing = new Map<string, Promise<boolean>>()
  const previous = new Map<string, { readonly secret: Promise<Secret | undefined>; readonly readAgainAt: number }>()

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

  async function refreshOnce(name: string): Promise<boolean> {
    const entry = entries.get(name)
    if (entry && now() < entry.refreshedAt + pauseMilliseconds) return false
    const before = await entry?.secret
    const after = await read(name, now())
    return before !== undefined && !before.equals(after)
  }

  return {
    forget: (name) => entries.delete(name),
    readAllAgain() {
      for (const [name, entry] of entries) entries.set(name, { ...entry, readAgainAt: -Infinity })
      previous.clear()
    },
    get(name) {
      const entry = entries.get(name)
      return entry && now() < entry.readAgainAt ? entry.secret : read(name)
    },
    getPrevious(name) {
      const kept = previous.get(name)
      if (kept && now() < kept.readAgainAt) return kept.secret
      const secret = store.getPrevious(name)
      previous.set(name, { secret, readAgainAt: now() + pauseMilliseconds })
      return secret
    },
    refresh(name) {
      const underWay = refreshing.get(name)
      if (underWay) return underWay
      const refreshed = refreshOnce(name).finally(() => refreshing.delete(name))
      refreshing.set(name, refreshed)
      return refreshed
    },
  }
}
