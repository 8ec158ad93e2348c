import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { makeCacheKeys } from '../../infra/local/make-secrets.ts'
import { type ElementChanges, exampleElements } from '../support/elements/elements.ts'
import {
  type ScriptedAnswer,
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../support/functions/issue-token-with-scripted-server.ts'
import { environmentOf } from '../support/functions/load-function.ts'
import {
  allAnswers,
  longest,
  startFleet,
  tokensIn,
  type Worker,
  type WorkerAnswer,
} from '../support/process/fleet-of-processes.ts'
import { startTcpProxy, type TcpProxy } from '../support/servers/tcp-proxy.ts'

/*
 * Real processes that share only a cache, with a real token endpoint. The tests assert the numbers of requests and
 * reads. Times are only printed.
 */

/** A shared cache, as the function is configured for it. */
export interface Backend {
  readonly port: number
  /** The environment variables that make a function use the cache at that port. */
  environment(port: number): Readonly<Record<string, string>>
  /** What the cache's secret holds in addition to its keys. */
  readonly secret?: object
  /** The number of reads that the cache has served. */
  reads(): Promise<number>
}

const processes = 16
const callers = 100
const event = { connection: 'conn' }
const atOnce = { event, callers }
const one = { event, callers: 1 }
/** With this much time the tests show the lease, and not the speed of the machine. */
const patient = { TOKENWELL_CACHE_BUDGET_MILLISECONDS: '10000' }

/** The grants for which no caller sends a user. */
const grants: readonly (readonly [string, ElementChanges])[] = [
  ['client_credentials', {}],
  [
    'jwt-bearer',
    { oAuth: { grantType: 'jwt-bearer', assertionTokenRef: 'theTokenConfig', jwtAuthenticationTokenRef: undefined } },
  ],
  [
    'token-exchange',
    { oAuth: { grantType: 'token-exchange', subjectTokenRef: 'theTokenConfig', jwtAuthenticationTokenRef: undefined } },
  ],
]

interface FleetOptions {
  readonly size?: number
  readonly changes?: ElementChanges
  readonly environment?: Readonly<Record<string, string>>
  readonly answer?: (response: ServerResponse, index: number) => ScriptedAnswer | undefined
}

export function testFleet(name: string, startBackend: (t: TestContext) => Promise<Backend | undefined>): void {
  async function start(t: TestContext, options: FleetOptions = {}) {
    const { size = processes, changes = {}, environment = patient, answer = () => tokenAnswer() } = options
    const backend = await startBackend(t)
    if (!backend) return undefined
    const server = await startIssueTokenWithScriptedServer(
      t,
      (issuer) => exampleElements(issuer, changes),
      (_request, response, index) => answer(response, index),
    )
    const { workspace, requests } = server
    const keys = { ...(JSON.parse(await makeCacheKeys()) as object), ...backend.secret }
    await writeFile(join(workspace.secretsFolder, 'cache'), JSON.stringify(keys))
    const proxy = await startTcpProxy(t, backend.port)
    const variables = { ...environmentOf(workspace), ...backend.environment(proxy.port), ...environment }
    const more = (count: number, changed: Readonly<Record<string, string>> = {}) =>
      startFleet(t, count, { ...variables, ...changed })
    const workers = await more(size)
    return { backend, requests, proxy, workers, more, workspace, issuer: server.issuer }
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

  for (const [grant, changes] of grants)
    test(`${name}: with the grant ${grant}, if the holder is killed during its request, another instance takes over`, async (t) => {
      const held = Promise.withResolvers<void>()
      const fleet = await start(t, {
        changes,
        answer(_response, index) {
          if (index > 0) return tokenAnswer()
          held.resolve()
          return undefined
        },
      })
      if (!fleet) return
      const [holder, ...others] = fleet.workers
      theWorker(holder)
        .call(one)
        .catch(() => {})
      await held.promise
      const waiting = Promise.all(others.map((worker) => worker.call(atOnce)))
      await pause(1_000)
      theWorker(holder).signal('SIGKILL')
      const answers = allAnswers(await waiting)
      t.diagnostic(`the last of ${answers.length} answers after ${longest(answers)}: a lease of 12 s and 1 s of grace`)

      assert.deepEqual(answers.map(failureOf).filter(Boolean), [])
      assert.equal(fleet.requests.length, 2)
      assert.equal(tokensIn(answers), 1)
      assert.equal(new Set(fleet.requests.map(({ jwtId }) => jwtId)).size, 2, 'each request has a new assertion')
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

function failureOf({ error, description, status }: WorkerAnswer): string | undefined {
  return error === undefined ? undefined : `${status} ${error}: ${description}`
}

async function until(isDone: () => boolean): Promise<void> {
  const end = performance.now() + 30_000
  while (!isDone()) {
    assert.ok(performance.now() < end, 'it did not happen within 30 s')
    await pause(20)
  }
}
