import type { Valkey } from 'iovalkey'
import {
  dueShardOf,
  dueShards,
  type RecordName,
  type RecordStore,
  readRecordName,
  recordNameText,
} from '../../fleet/record-store.ts'

/*
 * A cluster can change a record and an index in one step only if they share a slot. So the index holds hints: which record to read,
 * and from what time on. The record itself decides. A hint may be superfluous or too early, but never too late.
 */

/** No instance removes a hint for this long after it was written, because its record may still be on its way, for at most half of this time. */
const markMilliseconds = 60_000

interface Hint {
  readonly shard: string
  /** The name of the record as text. */
  readonly name: string
  readonly at: number
}

interface Due {
  readonly name: RecordName
  readonly dueAt: number
}

export interface DueParts {
  readonly client: Valkey
  readonly stage: string
  readonly read: RecordStore['read']
}

/** Send it before the record itself, so that neither a lost race nor a lost connection leaves a record without a hint. */
export async function writeHint(client: Valkey, stage: string, { name, dueAt }: Due): Promise<void> {
  const text = recordNameText(name)
  const shard = dueShardOf(text)
  await Promise.all([
    client.set(markKey(stage, shard, text), '', 'PX', markMilliseconds),
    // The earlier time stays, because it is not yet known which of two racing writers wins.
    client.zadd(hintsKey(stage, shard), 'LT', dueAt, text),
  ])
}

/** The names of the records that are due according to the records themselves, the earliest first. Wrong hints are corrected on the way. */
export async function findDue(parts: DueParts, until: number, limit: number): Promise<RecordName[]> {
  const found = new Map<string, Due>()
  /** How many hints of each shard were read and stay as they are. */
  const seen = new Map<string, number>()
  for (;;) {
    const [time, hints] = await Promise.all([parts.client.time(), firstHints(parts, { until, limit, seen })])
    const dueAts = await readDueAts(parts, hints)
    for (const { name, dueAt } of dueAts.values()) if (dueAt <= until) found.set(recordNameText(name), { name, dueAt })
    for (const shard of await tidyUp(parts, hints, { dueAts, readAtSeconds: Number(time[0]) }))
      seen.set(shard, (seen.get(shard) ?? 0) + 1)

    const first = [...found.values()].sort((a, b) => a.dueAt - b.dueAt).slice(0, limit)
    const last = hints.at(-1)
    const isAll = hints.length < limit || last === undefined
    // No record is due before its hint, so the hints that were not read are later than these.
    if (isAll || (first[limit - 1]?.dueAt ?? Infinity) <= last.at) return first.map(({ name }) => name)
  }
}

/** The earliest hints of all shards together, after the ones that were already read. */
async function firstHints(
  { client, stage }: DueParts,
  { until, limit, seen }: { readonly until: number; readonly limit: number; readonly seen: Map<string, number> },
): Promise<Hint[]> {
  const ofShard = async (shard: string): Promise<Hint[]> => {
    const window = [seen.get(shard) ?? 0, limit] as const
    const key = hintsKey(stage, shard)
    const answer = await client.zrange(key, '-inf', until, 'BYSCORE', 'LIMIT', ...window, 'WITHSCORES')
    // Names and times alternate.
    return answer.flatMap((name, index) => (index % 2 ? [] : [{ shard, name, at: Number(answer[index + 1]) }]))
  }
  const hints = (await Promise.all(dueShards.map(ofShard))).flat()
  return hints.sort((a, b) => a.at - b.at).slice(0, limit)
}

/** The due times by record name as text. Records that are gone or have no due time are left out. */
async function readDueAts({ read }: DueParts, hints: readonly Hint[]): Promise<Map<string, Due>> {
  const names = hints.flatMap((hint) => readRecordName(hint.name) ?? [])
  const records = await read(names)
  return new Map(
    names.flatMap((name, index) => {
      const dueAt = records[index]?.dueAt
      return dueAt === undefined ? [] : [[recordNameText(name), { name, dueAt }] as const]
    }),
  )
}

/** @returns the shards of the hints that stay, one for each */
async function tidyUp(
  { client, stage }: DueParts,
  hints: readonly Hint[],
  { dueAts, readAtSeconds }: { readonly dueAts: ReadonlyMap<string, Due>; readonly readAtSeconds: number },
): Promise<string[]> {
  const areTidied = hints.map(async ({ shard, name, at }) => {
    const dueAt = dueAts.get(name)?.dueAt
    if (dueAt === at) return false
    const keys = [hintsKey(stage, shard), markKey(stage, shard, name)] as const
    return (await client.tidyHint(...keys, name, dueAt ?? '', readAtSeconds)) === 1
  })
  const tidied = await Promise.all(areTidied)
  return hints.filter((_hint, index) => !tidied[index]).map(({ shard }) => shard)
}

function hintsKey(stage: string, shard: string): string {
  return `tokenwell:${stage}:{due:${shard}}`
}

/** The key shares a slot with the hints. */
function markKey(stage: string, shard: string, name: string): string {
  return `${hintsKey(stage, shard)}:${name}`
}
