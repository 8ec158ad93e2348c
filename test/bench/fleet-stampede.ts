import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeCacheKeys } from '../../infra/local/make-secrets.ts'
import { poll } from '../../lib/get-token/from-fleet.ts'
import { exampleElements } from '../support/elements/elements.ts'
import { createBareWorkspace, environmentOf } from '../support/functions/load-function.ts'
import {
  allAnswers,
  startFleet,
  tokensIn,
  type Worker,
  type WorkerAnswer,
} from '../support/process/fleet-of-processes.ts'
import { dynamodbEnvironment, startDynalite } from '../support/servers/dynalite.ts'
import { startValkey } from '../support/servers/valkey.ts'
import type { FarEnd, FarEndCounts } from './far-end.ts'
import { shown } from './picture.ts'
import type { Report } from './report.ts'
import { figuresOf } from './rounds.ts'
import { latencyMilliseconds } from './stampede.ts'
import type { CleanUp } from './tokenwell.ts'

/*
 * Many callers in many processes ask at once for the same token, which no process has. The processes share only a
 * cache.
 */

const table = 'tokens'

/** Starts a shared store. Returns the variables that make a function use it. */
type StartStore = (t: CleanUp) => Promise<Readonly<Record<string, string>>>

const stores: Readonly<Record<string, StartStore>> = {
  async DynamoDB(t) {
    const dynamodb = await startDynalite(t)
    await dynamodb.createTable(table)
    return { ...dynamodbEnvironment(dynamodb.endpoint), TOKENWELL_CACHE: `dynamodb:${table}` }
  },
  async Valkey(t) {
    return { TOKENWELL_CACHE: (await startValkey(t)).url }
  },
}

/** A long budget, so that the figures show the waiting for the lease, not the speed of the machine. */
const patient = { TOKENWELL_CACHE_BUDGET_MILLISECONDS: '10000' }

interface Stampede extends FarEndCounts {
  readonly tokens: number
  readonly withoutToken: number
  /** The time of the process that requested the token. All times are in milliseconds. */
  readonly holder: number
  readonly median: number
  readonly slowest: number
  /** The time from the holder's answer to the slowest one. */
  readonly behind: number
}

export async function benchFleetStampede(t: CleanUp, farEnd: FarEnd, isShort: boolean): Promise<Report> {
  const [processes, callers, rounds] = isShort ? [2, 10, 1] : [16, 100, 9]
  const rows = new Map<string, Stampede>()
  for (const [name, startStore] of Object.entries(stores)) {
    const [first, ...others] = await measure(t, farEnd, startStore, { processes, callers, rounds })
    if (first) rows.set(`${name}, first call of each process`, first)
    rows.set(`${name}, later`, middleOf(others))
  }
  return {
    title: `A stampede of ${processes} processes with ${callers} callers each`,
    name: 'fleet-stampede',
    notes: [
      `All callers ask for one token that is in no cache. The endpoint takes ${latencyMilliseconds} ms. The processes are built functions on one machine, and DynamoDB is an emulator.`,
      `Counts are the highest of ${rounds} rounds, and times are the median. Other clients are left out, because they share no cache.`,
      `An instance that waits for the holder of the lease reads the record again after at most ${poll.firstMilliseconds} ms. Then it doubles this limit, up to ${poll.lastMilliseconds.toLocaleString('en')} ms. Each wait is a random part of the limit.`,
    ],
    table: {
      columns: [
        '',
        'requests',
        'repeated assertions',
        'tokens',
        'without a token',
        'holder, ms',
        'median, ms',
        'slowest, ms',
        'after the holder, ms',
        'poll interval, ms',
      ],
      rows: [...rows].map(([name, stampede]) => [name, ...cellsOf(stampede)]),
    },
    bars: [
      {
        what: 'Requests, at most in any round',
        is: Math.max(...[...rows.values()].map(({ requests }) => requests)),
        atMost: 1,
      },
    ],
    picture: {
      unit: 'ms, slowest caller',
      lengths: [
        ...[...rows].map(([label, { slowest }]) => ({ label, value: slowest, isOurs: true })),
        { label: 'poll interval, first', value: poll.firstMilliseconds, isOurs: false },
        { label: 'poll interval, last', value: poll.lastMilliseconds, isOurs: false },
      ],
    },
  }
}

function cellsOf({ requests, repeatedAssertions, tokens, withoutToken, ...times }: Stampede): string[] {
  const counts = [requests, repeatedAssertions, tokens, withoutToken].map((count) => count.toFixed(0))
  const milliseconds = [times.holder, times.median, times.slowest, times.behind].map(shown)
  return [...counts, ...milliseconds, `${poll.firstMilliseconds} to ${poll.lastMilliseconds}`]
}

interface Size {
  readonly processes: number
  readonly callers: number
  readonly rounds: number
}

/** In the first round each process opens its connections. Then come the counted rounds, each for another token. */
async function measure(
  t: CleanUp,
  farEnd: FarEnd,
  startStore: StartStore,
  { processes, callers, rounds }: Size,
): Promise<Stampede[]> {
  const workspace = await createBareWorkspace(t, exampleElements(farEnd.issuer), farEnd.certificate)
  await writeFile(join(workspace.secretsFolder, 'cache'), await makeCacheKeys())
  const variables = { ...environmentOf(workspace), ...patient, ...(await startStore(t)) }
  const workers = await startFleet(t, processes, variables)
  const stampedes: Stampede[] = []
  for (let round = 0; round <= rounds; round++)
    stampedes.push(await run(farEnd, workers, { callers, event: { connection: 'conn', scope: `scope-${round}` } }))
  for (const worker of workers) worker.signal('SIGKILL')
  return stampedes
}

async function run(farEnd: FarEnd, workers: readonly Worker[], asked: Parameters<Worker['call']>[0]) {
  await farEnd.set({ latencyMilliseconds })
  const answers = allAnswers(await Promise.all(workers.map((worker) => worker.call(asked))))
  const times = answers.map(timeOf)
  const holder = Math.max(...answers.filter(({ source }) => source === 'server').map(timeOf))
  const slowest = Math.max(...times)
  return {
    ...(await farEnd.counts()),
    tokens: tokensIn(answers),
    withoutToken: answers.filter(({ tokenDigest }) => tokenDigest === undefined).length,
    holder,
    median: figuresOf(times).median,
    slowest,
    behind: slowest - holder,
  }
}

function timeOf({ milliseconds }: WorkerAnswer): number {
  return milliseconds
}

/** The highest count and the median of each time. */
function middleOf(stampedes: readonly Stampede[]): Stampede {
  const most = (count: (stampede: Stampede) => number) => Math.max(...stampedes.map(count))
  const middle = (time: (stampede: Stampede) => number) => figuresOf(stampedes.map(time)).median
  return {
    requests: most(({ requests }) => requests),
    repeatedAssertions: most(({ repeatedAssertions }) => repeatedAssertions),
    tokens: most(({ tokens }) => tokens),
    withoutToken: most(({ withoutToken }) => withoutToken),
    holder: middle(({ holder }) => holder),
    median: middle(({ median }) => median),
    slowest: middle(({ slowest }) => slowest),
    behind: middle(({ behind }) => behind),
  }
}
