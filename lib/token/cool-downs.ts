import type { TokenEndpointError } from '../token-endpoint/token-endpoint-error.ts'
import { begun, type CoolDown, type CoolDownDuration, demandEnd, probed, released } from './cool-down.ts'
import { CoolingDownError } from './cooling-down-error.ts'

/** More than any process has at a time; the oldest are forgotten first. */
const maximumEntries = 10_000

/**
 * What must not be asked for again for a while, by name. At the end of a cool-down one may ask; if that fails, too, the
 * next one is twice as long.
 */
export interface CoolDowns {
  /**
   * To be called before asking; what was found is told by `begin`, `end` or `release`.
   * @throws {CoolingDownError} with the failure that began it, where any of these is cooling down
   */
  demand(names: readonly string[]): Promise<void>
  /** @returns what everyone is told until it ends */
  begin(name: string, error: TokenEndpointError, duration: CoolDownDuration): Promise<CoolingDownError>
  end(names: readonly string[]): Promise<void>
  /** Nothing was found out: the next one may ask. */
  release(names: readonly string[]): Promise<void>
}

/** Those that one process knows of. */
export function createCoolDowns(now: () => number): CoolDowns {
  const entries = new Map<string, CoolDown>()

  return {
    async demand(names) {
      const known = names.flatMap((name) => entries.get(name) ?? [])
      for (const entry of known) demandEnd(entry, now())
      for (const name of names) update(name, (entry) => probed(entry, now()))
    },
    async begin(name, error, duration) {
      const entry = begun(entries.get(name), error, duration, now())
      entries.delete(name)
      entries.set(name, entry)
      const [oldest] = entries.keys()
      if (entries.size > maximumEntries && oldest !== undefined) entries.delete(oldest)
      return CoolingDownError.after(error, Math.ceil((entry.until - now()) / 1000))
    },
    async end(names) {
      for (const name of names) entries.delete(name)
    },
    async release(names) {
      for (const name of names) update(name, released)
    },
  }

  function update(name: string, change: (entry: CoolDown) => CoolDown): void {
    const entry = entries.get(name)
    if (entry) entries.set(name, change(entry))
  }
}
