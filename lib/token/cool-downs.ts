import type { TokenEndpointError } from '../token-endpoint/token-endpoint-error.ts'
import { CoolingDownError } from './cooling-down-error.ts'

/** Longest cool-down, however often something failed and whatever a server asks for. */
const maximumCoolDownSeconds = 5 * 60
/** A probe that hasn't come back by then never will: Lambda may have frozen it. */
const probeMilliseconds = 30_000
/** More than any process has at a time; the oldest are forgotten first. */
const maximumEntries = 10_000

interface CoolDown {
  readonly until: number
  readonly error: TokenEndpointError
  /** In a row. */
  readonly failures: number
  /** Somebody asks already, and the others wait for what it finds. */
  readonly probeUntil?: number
}

/**
 * What must not be asked for again for a while, by name. At the end of a cool-down one may ask; if that fails, too, the
 * next one is twice as long.
 */
export interface CoolDowns {
  /**
   * To be called before asking; what was found is told by `begin`, `end` or `release`.
   * @throws {CoolingDownError} with the failure that began it, where any of these is cooling down
   */
  demand(names: readonly string[]): void
  /** @returns what everyone is told until it ends */
  begin(name: string, error: TokenEndpointError, duration: CoolDownDuration): CoolingDownError
  end(names: readonly string[]): void
  /** Nothing was found out: the next one may ask. */
  release(names: readonly string[]): void
}

export interface CoolDownDuration {
  /** Of the first; each further one in a row is twice as long. */
  readonly baseSeconds: number
  /** As the server asked, instead. */
  readonly retryAfterSeconds?: number
}

export function createCoolDowns(now: () => number): CoolDowns {
  const entries = new Map<string, CoolDown>()

  /** When to come back, while one must not ask. */
  function blockedUntil({ until, probeUntil = 0 }: CoolDown): number | undefined {
    if (now() < until) return until
    return now() < probeUntil ? now() + 1_000 : undefined
  }

  return {
    demand(names) {
      const known = names.flatMap((name) => entries.get(name) ?? [])
      for (const entry of known) {
        const until = blockedUntil(entry)
        if (until !== undefined) throw CoolingDownError.after(entry.error, Math.ceil((until - now()) / 1000))
      }
      for (const name of names) update(name, { probeUntil: now() + probeMilliseconds })
    },
    begin(name, error, { baseSeconds, retryAfterSeconds }) {
      const { failures: before = 0, until: already = 0 } = entries.get(name) ?? {}
      // Requests that were under way together fail together: that is one failure.
      const failures = now() < already ? before : before + 1
      const seconds = Math.min(retryAfterSeconds ?? baseSeconds * 2 ** (failures - 1), maximumCoolDownSeconds)
      const until = Math.max(already, now() + seconds * 1000)
      entries.delete(name)
      entries.set(name, { until, error, failures })
      const [oldest] = entries.keys()
      if (entries.size > maximumEntries && oldest !== undefined) entries.delete(oldest)
      return CoolingDownError.after(error, Math.ceil((until - now()) / 1000))
    },
    end(names) {
      for (const name of names) entries.delete(name)
    },
    release(names) {
      for (const name of names) update(name, { probeUntil: 0 })
    },
  }

  function update(name: string, change: Pick<CoolDown, 'probeUntil'>): void {
    const entry = entries.get(name)
    if (entry) entries.set(name, { ...entry, ...change })
  }
}
