import { setTimeout as pause } from 'node:timers/promises'
import { contextFor } from '../support/functions/alias.ts'

/*
 * One process with the wired function, configured by environment variables as on Lambda. It calls itself for the given
 * time and reports its state. It loads no test code, so only the function can make it grow.
 */

/** Sent at each sample, and once more at the end, after a time without calls. */
export interface SoakSample {
  readonly calls: number
  readonly failures: number
  readonly slowestMilliseconds: number
  /** After a full garbage collection. */
  readonly heapBytes: number
  readonly residentBytes: number
  /** The sockets and timers that keep the process alive. */
  readonly handles: readonly string[]
  readonly isLast: boolean
}

const [seconds = 0, sampleSeconds = 0, keys = 0, callers = 0] = process.argv.slice(2).map(Number)
/** Longer than an idle connection is kept. */
const quietMilliseconds = 6_000
/** This many callers in a row ask for popular keys. Then one asks for the next rare key. */
const popularInARow = 7
const popularKeys = 1_000

const { handler } = (await import('../../functions/issue-token/index.ts')) as {
  handler: (event: object, context: object) => Promise<{ readonly access_token?: string }>
}
let [calls, failures, slowest] = [0, 0, 0]

async function call(): Promise<void> {
  const scope = nextScope()
  const startedAt = performance.now()
  const event = { connection: 'conn', scope }
  const answer = await handler(event, contextFor(event))
  slowest = Math.max(slowest, performance.now() - startedAt)
  // Each key has its own token: the server puts the scope into it.
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
    // The pipe to the parent process is not the function's.
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
