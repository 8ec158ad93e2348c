import { setTimeout as pause } from 'node:timers/promises'
import { createLocalContext } from '../../infra/local/http-gateway.ts'

/*
 * One process of the wired function, told by its environment as Lambda's would be, that calls itself for as long as it is
 * told to and says how it fares. Nothing of the tests is loaded here, so that what grows is the function's.
 */

/** What is told each time, and once more at the end, when nothing has been called for a while. */
export interface SoakSample {
  readonly calls: number
  readonly failures: number
  readonly slowestMilliseconds: number
  /** After everything that can be collected was. */
  readonly heapBytes: number
  readonly residentBytes: number
  /** Of sockets and timers that keep the process alive. */
  readonly handles: readonly string[]
  readonly isLast: boolean
}

const [seconds = 0, sampleSeconds = 0, keys = 0, callers = 0] = process.argv.slice(2).map(Number)
/** Longer than an idle connection is kept. */
const quietMilliseconds = 6_000
/** So many callers in a row ask for what is asked for all the time, then one for the next of all keys. */
const popularInARow = 7
const popularKeys = 1_000

const { handler } = (await import('../../functions/issue-token/index.ts')) as {
  handler: (event: object, context: object) => Promise<{ readonly access_token?: string }>
}
let [calls, failures, slowest] = [0, 0, 0]

async function call(): Promise<void> {
  const scope = nextScope()
  const startedAt = performance.now()
  const answer = await handler({ connection: 'conn', scope }, createLocalContext(Date.now()))
  slowest = Math.max(slowest, performance.now() - startedAt)
  // Each key has a token of its own: the server puts the scope into it.
  if (answer.access_token?.endsWith(`.${scope}`) !== true) failures++
}

function nextScope(): string {
  const turn = calls++
  const isPopular = turn % (popularInARow + 1) < popularInARow
  return isPopular ? `popular${turn % popularKeys}` : `rare${Math.floor(turn / (popularInARow + 1)) % keys}`
}

function tell(isLast: boolean): void {
  globalThis.gc?.()
  const { heapUsed, rss } = process.memoryUsage()
  const sample: SoakSample = {
    ...{ calls, failures, slowestMilliseconds: Math.round(slowest), heapBytes: heapUsed, residentBytes: rss, isLast },
    // The pipe is that to the parent.
    handles: process.getActiveResourcesInfo().filter((each) => each !== 'PipeWrap'),
  }
  process.send?.(sample)
}

const endsAt = performance.now() + seconds * 1000
async function caller(): Promise<void> {
  while (performance.now() < endsAt) await call()
}
const sampling = setInterval(() => tell(false), sampleSeconds * 1000)
await Promise.all(Array.from({ length: callers }, caller))
clearInterval(sampling)
await pause(quietMilliseconds)
tell(true)
process.disconnect()
