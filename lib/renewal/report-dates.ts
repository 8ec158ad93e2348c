import { inTime, type Pause } from '../base/time.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import type { Connection } from '../configuration/connection.ts'
import type { ConnectionCache } from '../configuration/connection-cache.ts'
import { keyOf } from '../configuration/element.ts'
import type { Log } from '../log/log-event.ts'
import {
  type DatedSecret,
  dayMilliseconds,
  dayOf,
  describeNotice,
  holderOf,
  type SecretDates,
} from '../signing/secret-dates.ts'

/** Many connections share a secret, and a reconciliation checks each of them once an hour. */
const pauseMilliseconds = 30 * 60_000

/** Logs when the secrets of connections end. */
export type DateReporter = ReturnType<typeof createDateReporter>

export function createDateReporter({
  connections,
  secretDates,
  now,
  pause,
  log,
}: {
  readonly connections: Pick<ConnectionCache, 'get'>
  readonly secretDates: SecretDates
  readonly now: () => number
  readonly pause: Pause
  readonly log: Log
}) {
  /** What was logged last about each secret, and until when it is not logged again. */
  const reported = new Map<string, { readonly dates: string; readonly until: number }>()

  /** Undefined if its elements have a mistake or can't be read: others report that. */
  async function find(name: string): Promise<Connection | undefined> {
    try {
      return (await connections.get(name)).connection
    } catch (error) {
      if (error instanceof TokenwellError) return undefined
      throw error
    }
  }

  function reportSecret(dated: DatedSecret): void {
    const { secret, element, attribute, expiresAt, notices } = dated
    const dates = JSON.stringify([expiresAt, notices])
    const last = reported.get(secret)
    if (last && last.dates === dates && now() < last.until) return
    reported.set(secret, { dates, until: now() + pauseMilliseconds })
    if (expiresAt !== undefined) {
      const daysLeft = Math.floor((expiresAt - now()) / dayMilliseconds)
      log({ event: 'secret_expiry_checked', secret, expiresOn: dayOf(expiresAt), daysLeft })
    }
    for (const notice of notices) {
      const reason = describeNotice(notice, holderOf(dated))
      log({ event: 'secret_date_noticed', secret, element: `${keyOf(element)} ${attribute}`, reason })
    }
  }

  async function reportAll(connection: string): Promise<void> {
    const found = await find(connection)
    if (!found) return
    for (const dated of await secretDates.of(found, now())) reportSecret(dated)
  }

  return {
    /**
     * Reports the dates of a connection's secrets. A secret that can't be used is passed over.
     * @param deadline milliseconds since the epoch. What is not read by then is left to the next hour
     */
    async report(connection: string, deadline: number): Promise<void> {
      await inTime(reportAll(connection), deadline - now(), pause, () => undefined)
    },
  }
}
