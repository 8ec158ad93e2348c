import type { TokenEndpointError } from '../token-endpoint/token-endpoint-error.ts'
import { CoolingDownError } from './cooling-down-error.ts'

/** Longest cool-down, however often something failed and whatever a server asks for. */
const maximumCoolDownSeconds = 5 * 60
/** A probe that hasn't come back by then never will: Lambda may have frozen it. */
const probeMilliseconds = 30_000

/** A time in which something must not be asked for again. At its end one may ask; the others wait for what that one finds. */
export interface CoolDown {
  /** Milliseconds since the epoch. */
  readonly until: number
  readonly error: TokenEndpointError
  /** In a row. */
  readonly failures: number
  /** Somebody asks already. */
  readonly probeUntil?: number
}

export interface CoolDownDuration {
  /** Of the first; each further one in a row is twice as long. */
  readonly baseSeconds: number
  /** As the server asked, instead. */
  readonly retryAfterSeconds?: number
}

/** @throws {CoolingDownError} while one must not ask */
export function demandEnd({ until, probeUntil = 0, error }: CoolDown, now: number): void {
  if (now < until) throw CoolingDownError.after(error, Math.ceil((until - now) / 1000))
  if (now < probeUntil) throw CoolingDownError.after(error, 1)
}

export function probed(coolDown: CoolDown, now: number): CoolDown {
  return { ...coolDown, probeUntil: now + probeMilliseconds }
}

export function released({ probeUntil: _probe, ...coolDown }: CoolDown): CoolDown {
  return coolDown
}

/** What one more failure makes of it. */
export function begun(
  before: CoolDown | undefined,
  error: TokenEndpointError,
  { baseSeconds, retryAfterSeconds }: CoolDownDuration,
  now: number,
): CoolDown {
  const { failures: failedBefore = 0, until: already = 0 } = before ?? {}
  // Requests that were under way together fail together: that is one failure.
  const failures = now < already ? failedBefore : failedBefore + 1
  const seconds = Math.min(retryAfterSeconds ?? baseSeconds * 2 ** (failures - 1), maximumCoolDownSeconds)
  return { until: Math.max(already, now + seconds * 1000), error, failures }
}
