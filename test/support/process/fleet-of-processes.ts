import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { bundleFunction } from '../../../infra/bundle.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'

export interface ToWorker {
  /** How often each event is sent, all at once. */
  readonly callers: number
  readonly event: object | readonly object[]
  /** The process freezes itself as soon as it has logged this event, until it gets SIGCONT. */
  readonly stopsAfter?: LogEvent['event']
  /** The process ends as soon as it has logged this event that often. */
  readonly diesAfter?: { readonly event: LogEvent['event']; readonly times: number }
}

export type FromWorker = 'ready' | WorkerReport

export interface WorkerReport {
  readonly answers: readonly WorkerAnswer[]
  readonly events: readonly LogEvent[]
}

export interface WorkerAnswer {
  readonly connection: unknown
  readonly milliseconds: number
  readonly tokenDigest?: string
  readonly tokenId?: unknown
  readonly source?: unknown
  readonly error?: unknown
  readonly description?: unknown
  readonly status?: unknown
}

/** A process that runs the built function. */
export interface Worker {
  /** Calls the function that often at once. */
  call(request: ToWorker): Promise<WorkerReport>
  signal(name: 'SIGKILL' | 'SIGCONT'): void
  /** Settles when the process has ended. */
  readonly ended: Promise<unknown>
}

const readyMilliseconds = 60_000
const answerMilliseconds = 60_000
let built: Promise<string> | undefined

/** Starts processes that share only what these variables name. Each one has reported that it is ready. */
export async function startFleet(
  t: Pick<TestContext, 'after'>,
  size: number,
  environment: Readonly<Record<string, string>>,
): Promise<Worker[]> {
  built ??= build()
  const bundle = await built
  return Promise.all(Array.from({ length: size }, () => startWorker(t, bundle, environment)))
}

/** Builds once per process, for all tests of a file. */
async function build(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tokenwell-fleet-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return bundleFunction('issue-token', folder)
}

async function startWorker(
  t: Pick<TestContext, 'after'>,
  bundle: string,
  environment: Readonly<Record<string, string>>,
) {
  const { PATH = '', HOME = '' } = process.env
  const child = fork(join(import.meta.dirname, 'fleet-worker.ts'), [bundle], { env: { PATH, HOME, ...environment } })
  t.after(() => child.kill('SIGKILL'))
  const ended = once(child, 'exit')
  const ready = await nextMessage(child, readyMilliseconds)
  assert.equal(ready, 'ready')
  return {
    async call(request) {
      child.send(request)
      const report = await nextMessage(child, answerMilliseconds)
      assert(report !== 'ready')
      return report
    },
    signal: (name) => child.kill(name),
    ended,
  } satisfies Worker
}

async function nextMessage(child: ChildProcess, milliseconds: number): Promise<FromWorker> {
  const over = new AbortController()
  const signal = AbortSignal.any([over.signal, AbortSignal.timeout(milliseconds)])
  try {
    const [message] = await Promise.race([
      once(child, 'message', { signal }),
      once(child, 'exit', { signal }).then(() => Promise.reject(new Error('the process has ended'))),
    ])
    return message as FromWorker
  } finally {
    // Removes the listeners of what has not happened.
    over.abort()
  }
}

export function allAnswers(reports: readonly WorkerReport[]): WorkerAnswer[] {
  return reports.flatMap(({ answers }) => answers)
}

export function failureOf({ error, description, status }: WorkerAnswer): string | undefined {
  return error === undefined ? undefined : `${status} ${error}: ${description}`
}

/** The number of different tokens in these answers. */
export function tokensIn(answers: readonly WorkerAnswer[]): number {
  return new Set(answers.map(({ tokenDigest }) => tokenDigest)).size
}

export function longest(answers: readonly WorkerAnswer[]): string {
  return `${Math.round(Math.max(...answers.map(({ milliseconds }) => milliseconds)))} ms`
}
