import type { Connections, KnownConnection } from '../configuration/connections.ts'
import { UnknownConnectionError } from '../configuration/unknown-connection-error.ts'
import { elementsOf } from '../token/asking.ts'
import type { Pause } from '../token/in-time.ts'
import {
  type ConnectionRecord,
  cleared,
  type Elements,
  settled,
  type Variant,
} from '../token-cache/connection-record.ts'
import type { TokenRecords } from '../token-cache/token-records.ts'
import { forEachAtMost } from './at-most.ts'
import type { Preparation, PrepareToken } from './prepare-token.ts'
import type { Renewal, RenewToken } from './renew-token.ts'

/** So long new tokens are waited for before the elements come into force without. */
const preparationMilliseconds = 25_000
/** Between two looks whether who asks for a token under the old elements is done. */
const turnMilliseconds = 500
const gone: Elements = { fingerprint: 'gone' }

/**
 * Sees to it that the fleet goes by the connection's elements as they are now. Where they would issue other tokens these are
 * obtained first, for all that is kept warm, so that nobody waits for them; where that fails the old ones end all the same.
 * @param deadline milliseconds since the epoch, at least a minute away
 * @throws {ConfigurationError} where the elements have mistakes: the last good ones serve on
 * @throws {ElementStoreError}
 * @throws {CacheUnavailableError}
 */
export type RefreshConnection = (connection: string, deadline: number) => Promise<readonly Renewal[]>

/** Ends all tokens of a connection, and obtains those that are kept warm anew. */
export type ClearConnection = RefreshConnection

export interface RefreshConnectionParts {
  readonly connections: Connections
  readonly records: TokenRecords
  readonly prepareToken: PrepareToken
  readonly renewToken: RenewToken
  readonly now: () => number
  readonly pause: Pause
}

export function createRefreshConnection(parts: RefreshConnectionParts): RefreshConnection {
  const { connections, records, prepareToken, renewToken, now, pause } = parts

  return async (name, deadline) => {
    const [known] = await records.readConnections([name], deadline)
    // Nobody has asked for a token of it yet.
    if (!known) return []
    const latest = await connections.readAgain(name).catch(undefinedIfUnknown)
    const elements = latest ? elementsOf(latest) : gone
    const isOther = latest !== undefined && latest.fingerprint !== known.fingerprint
    const prepared = isOther
      ? await prepareAll(known, latest, now() + preparationMilliseconds)
      : new Map<string, Preparation>()

    await records.amendConnection(name, known, (before) => before && settled(before, elements, now()), deadline)
    const renewals: Renewal[] = []
    for (const each of prepared.values())
      if (each.outcome === 'prepared') renewals.push(await each.comeIntoForce())
      else if (each.outcome === 'failed') renewals.push(each)
    if (!latest) return renewals
    const others = known.variants.filter(({ id }) => !isDone(prepared.get(id)))
    return [...renewals, ...(await renewMissing({ name, known, variants: others }, renewToken, deadline))]
  }

  async function prepareAll(known: ConnectionRecord, latest: KnownConnection, until: number) {
    const preparations = new Map<string, Preparation>()
    await forEachAtMost(concurrencyOf(known), known.variants, async ({ id }) => {
      const name = { group: latest.connection.name, id }
      let preparation = await prepareToken(name, latest, until)
      while (preparation.outcome === 'under_way' && now() + turnMilliseconds < until && !(await isSettled(latest))) {
        await pause(turnMilliseconds)
        preparation = await prepareToken(name, latest, until)
      }
      preparations.set(id, preparation)
    })
    return preparations
  }

  async function isSettled({ connection, fingerprint }: KnownConnection): Promise<boolean> {
    const [current] = await records.readConnections([connection.name], now())
    return current?.fingerprint === fingerprint
  }
}

export function createClearConnection(
  parts: Pick<RefreshConnectionParts, 'records' | 'renewToken' | 'now'>,
): ClearConnection {
  const { records, renewToken, now } = parts
  return async (name, deadline) => {
    const [known] = await records.readConnections([name], deadline)
    if (!known) return []
    await records.amendConnection(name, known, (before) => before && cleared(before, now()), deadline)
    return renewMissing({ name, known, variants: known.variants }, renewToken, deadline)
  }
}

interface Missing {
  readonly name: string
  readonly known: ConnectionRecord
  readonly variants: readonly Variant[]
}

/** Those that answer for nothing any more. */
async function renewMissing({ name, known, variants }: Missing, renewToken: RenewToken, deadline: number) {
  const renewals: Renewal[] = []
  await forEachAtMost(concurrencyOf(known), variants, async ({ id }) => {
    renewals.push(await renewToken({ name: { group: name, id }, freshUntil: -Infinity, deadline }))
  })
  return renewals
}

function isDone(preparation: Preparation | undefined): boolean {
  return preparation?.outcome === 'prepared' || preparation?.outcome === 'failed'
}

function concurrencyOf({ warming }: ConnectionRecord): number {
  return warming?.maximumConcurrency ?? 1
}

function undefinedIfUnknown(error: unknown): undefined {
  if (!(error instanceof UnknownConnectionError)) throw error
}
