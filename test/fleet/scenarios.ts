import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type ElementChanges, exampleElements } from '../support/elements/elements.ts'
import { tokenAnswer } from '../support/functions/issue-token-with-scripted-server.ts'
import {
  allAnswers,
  failureOf,
  longest,
  tokensIn,
  type Worker,
  type WorkerAnswer,
} from '../support/process/fleet-of-processes.ts'
import type { TcpProxy } from '../support/servers/tcp-proxy.ts'
import { callers, processes, type SharedFleetOptions, type StartBackend, startSharedFleet } from './shared-fleet.ts'

/*
 * Real processes that share only a cache, with a real token endpoint. The tests assert the numbers of requests and
 * reads. Times are only printed.
 */

const event = { connection: 'conn' }
const atOnce = { event, callers }
const one = { event, callers: 1 }

interface Options extends SharedFleetOptions {
  readonly changes?: ElementChanges
}

export function testFleet(name: string, startBackend: StartBackend): void {
  async function start(t: TestContext, { changes, ...options }: Options = {}) {
    return await startSharedFleet(t, startBackend, (issuer) => exampleElements(issuer, changes), options)
  }

  test(`${name}: ${processes} cold processes with ${callers} callers each make one token request`, async (t) => {
    const fleet = await start(t)
    if (!fleet) return
    const { workers, requests, backend } = fleet
    const readsBefore = await backend.reads()
    const answers = allAnswers(await Promise.all(workers.map((worker) => worker.call(atOnce))))
    const reads = (await backend.reads()) - readsBefore
    t.diagnostic(`${answers.length} answers, the last after ${longest(answers)}; ${reads} reads of the cache`)

    assert.deepEqual(answers.map(failureOf).filter(Boolean), [])
    assert.equal(answers.length, processes * callers)
    assert.equal(requests.length, 1)
    assert.equal(tokensIn(answers), 1)
    assert.equal(
      answers.filter(({ source }) => source === 'server').length,
      callers,
      'more or less than one process requested a token',
    )
    // Each process looks once for all its callers, less and less often.
    assert.ok(reads < processes * 40, `${reads} reads`)

    const again = allAnswers(await Promise.all(workers.map((worker) => worker.call(atOnce))))
    assert.ok(again.every(({ source }) => source === 'memory'))
    assert.equal((await backend.reads()) - readsBefore, reads, 'a hit in memory reads no cache')
  })

  test(`${name}: a cold process finds the token of the others, and reads no signing key and no element for it`, async (t) => {
    const fleet = await start(t, { size: 1 })
    if (!fleet) return
    const { workers, requests, more } = fleet
    await Promise.all(workers.map((worker) => worker.call(one)))
    const [second] = await more(1, { TOKENWELL_ELEMENTS: '/nowhere/elements.json' })
    const answers = allAnswers(await Promise.all([second].map((worker) => theWorker(worker).call(one))))
    assert.deepEqual(
      answers.map(({ source }) => source),
      ['cache'],
    )
    assert.equal(requests.length, 1)
  })

  for (const { what, before, event: sleeps = event, meanwhile, assertAfter } of wakeUps)
    test(`${name}: a holder that wakes up after ${what} does not overwrite it`, async (t) => {
      const fleet = await start(t, { size: 2, answer: () => tokenAnswer({ expires_in: 3_000 }) })
      if (!fleet) return
      const [sleeper, other] = fleet.workers.map(theWorker)
      assert(sleeper && other)
      await before?.(other)
      const asked = fleet.requests.length
      const late = sleeper.call({ event: sleeps, callers: 1, stopsAfter: 'token_obtained' })
      await until(() => fleet.requests.length > asked)
      // The sleeper has the answer now, and is frozen.
      await pause(500)
      const theirs = await meanwhile(other, fleet)
      sleeper.signal('SIGCONT')
      const [own] = (await late).answers
      assert(own)
      assert.equal(failureOf(own), undefined, 'its own caller gets no token')

      const requests = fleet.requests.length
      const found = allAnswers(await Promise.all((await fleet.more(2)).map((worker) => worker.call(one))))
      assertAfter({ own, theirs, found, newRequests: fleet.requests.length - requests })
    })

  test(`${name}: all callers get a refusal from one request, and no request follows during the cool-down`, async (t) => {
    const fleet = await start(t, { answer: () => ({ status: 401, body: { error: 'invalid_client' } }) })
    if (!fleet) return
    const answers = allAnswers(await Promise.all(fleet.workers.map((worker) => worker.call(atOnce))))
    t.diagnostic(`the last of ${answers.length} answers after ${longest(answers)}`)
    assert.equal(answers.length, processes * callers)
    assert.ok(answers.every(({ status, error }) => status === 502 && error === 'server_error'))
    assert.equal(fleet.requests.length, 1)

    const others = { event: { ...event, scope: 'other' }, callers: 1 }
    const again = await Promise.all(fleet.workers.flatMap((worker) => [worker.call(one)]))
    const elsewhere = await Promise.all(fleet.workers.map((worker) => worker.call(others)))
    assert.ok(allAnswers([...again, ...elsewhere]).every(({ status }) => status === 502))
    assert.equal(fleet.requests.length, 1, 'the whole client cools down in the whole fleet')
  })

  test(`${name}: if the cache is down, callers only wait up to 2 s longer, and each process makes one request`, async (t) => {
    const fleet = await start(t, { environment: {} })
    if (!fleet) return
    fleet.proxy.hold()
    const reports = await Promise.all(fleet.workers.map((worker) => worker.call(atOnce)))
    await assertServedWithoutCache(t, fleet, reports)
  })

  test(`${name}: if the cache answers after 500 ms, the budget holds and every caller gets a token`, async (t) => {
    const fleet = await start(t, { size: 4, environment: {} })
    if (!fleet) return
    fleet.proxy.delay(500)
    const reports = await Promise.all(fleet.workers.map((worker) => worker.call(atOnce)))
    await assertServedWithoutCache(t, fleet, reports)
  })
}

interface RunningFleet {
  readonly requests: readonly unknown[]
  readonly proxy: TcpProxy
  readonly workers: readonly Worker[]
}

async function assertServedWithoutCache(
  t: TestContext,
  { requests, workers }: RunningFleet,
  reports: readonly Awaited<ReturnType<Worker['call']>>[],
): Promise<void> {
  const answers = allAnswers(reports)
  t.diagnostic(`${requests.length} requests; the last of ${answers.length} answers after ${longest(answers)}`)
  assert.deepEqual(answers.map(failureOf).filter(Boolean), [])
  assert.ok(requests.length <= workers.length, `${requests.length} requests`)
  for (const { events } of reports)
    assert.equal(events.filter((each) => each.event === 'cache_passed_over').length, 1, 'each process logs it once')
}

interface WakeUp {
  readonly what: string
  readonly before?: (other: Worker) => Promise<void>
  /** What the sleeper asks for. */
  readonly event?: object
  /** What the other instance gets while the sleeper sleeps. */
  readonly meanwhile: (other: Worker, fleet: ChangingFleet) => Promise<WorkerAnswer>
  readonly assertAfter: (after: {
    readonly own: WorkerAnswer
    readonly theirs: WorkerAnswer
    /** What processes without tokens in memory get. */
    readonly found: readonly WorkerAnswer[]
    readonly newRequests: number
  }) => void
}

interface ChangingFleet {
  readonly more: (count: number) => Promise<Worker[]>
  readonly workspace: { readonly elementsPath: string }
  readonly issuer: string
}

let rejected: unknown

const wakeUps: readonly WakeUp[] = [
  {
    what: 'a newer token',
    // The other instance waits for the end of the lease and takes over.
    meanwhile: (other) => onlyAnswer(other.call(one)),
    assertAfter({ theirs, found, newRequests }) {
      assert.deepEqual(
        found.map(({ tokenDigest }) => tokenDigest),
        [theirs.tokenDigest, theirs.tokenDigest],
      )
      assert.equal(newRequests, 0)
    },
  },
  {
    what: 'an invalidation',
    async before(other) {
      rejected = (await onlyAnswer(other.call(one))).tokenId
      await pause(11_000)
    },
    // The current token lives too short for this request, which requests a new one. The current token stays meanwhile.
    event: { ...event, minimum_seconds: 2_990 },
    meanwhile: (other) => onlyAnswer(other.call({ event: { ...event, rejected_token_id: rejected }, callers: 1 })),
    assertAfter({ theirs, found, newRequests }) {
      assert.notEqual(theirs.tokenId, rejected)
      assert.deepEqual(
        found.map(({ tokenDigest }) => tokenDigest),
        [theirs.tokenDigest, theirs.tokenDigest],
      )
      assert.equal(newRequests, 0)
    },
  },
  {
    what: 'a change of the elements',
    async meanwhile(_other, { more, workspace, issuer }) {
      const changed = exampleElements(issuer, { oAuth: { parameters: { tenant: 'another' } } })
      await writeFile(workspace.elementsPath, JSON.stringify(changed))
      const [reader] = await more(1)
      // A request for another token of the same connection does not touch the sleeper's lease.
      return onlyAnswer(theWorker(reader).call({ event: { ...event, scope: 'other' }, callers: 1 }))
    },
    assertAfter({ own, found, newRequests }) {
      assert.equal(tokensIn(found), 1)
      assert.notEqual(found[0]?.tokenDigest, own.tokenDigest)
      assert.equal(newRequests, 1)
    },
  },
]

async function onlyAnswer(report: ReturnType<Worker['call']>): Promise<WorkerAnswer> {
  const [answer] = (await report).answers
  assert(answer)
  return answer
}

function theWorker(worker: Worker | undefined): Worker {
  assert(worker)
  return worker
}

async function until(isDone: () => boolean): Promise<void> {
  const end = performance.now() + 30_000
  while (!isDone()) {
    assert.ok(performance.now() < end, 'it did not happen within 30 s')
    await pause(20)
  }
}
