import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { readmePath, rowsBelow, withRowsBelow } from '../table.ts'
import { type Failure, failures } from './failures.ts'
import { breadthByRule, canBeConfirmed, type RequestKind, requestKinds, waitingAt } from './rules.ts'
import { failForLong, failOnce } from './run-cell.ts'
import { type Cell, heading, rowsOf, waitingIn } from './table.ts'

/*
 * Every failure of every kind of request, in a whole fleet on virtual time. The tests check who waits afterwards, who
 * goes on, and for how long. They also check how many requests a server gets that fails for ten minutes.
 * `test/hostile/README.md` has the results as a table.
 */

const baseSeconds = 30
const wholeSeconds = 600
/** A second between requests, one for a probe by another caller, and the time of the failed request. */
const toleranceSeconds = 3
/**
 * The first request of each token key comes at once, the next after 30 s, then doubled up to 300 s. A control request
 * comes at most every 30 s.
 */
const mostRequests = 30
/** One request for each token key that is requested at the same time, and the repetitions of one of them. */
const mostAtOnce = 15

const kindsOf = (failure: Failure): readonly RequestKind[] =>
  canBeConfirmed(failure) ? [...requestKinds, 'confirmed'] : requestKinds

/**
 * The first failure of each evidence, for each kind of request that makes a difference. A scope represents the other
 * caller parameters.
 */
function isRunForLong({ isFull }: Failure, kind: RequestKind): boolean {
  return isFull === true && (kind === 'own' || kind === 'scope' || kind === 'confirmed')
}

async function runCell(failure: Failure, kind: RequestKind): Promise<Cell> {
  const aftermath = await failOnce(failure, kind)
  const load = isRunForLong(failure, kind) ? await failForLong(failure, kind, wholeSeconds) : undefined
  return { failure, kind, aftermath, ...(load && { load }) }
}

/**
 * Run before the first test begins, because the test runner watches every promise of its tests. That doubles the cost
 * of a cell.
 */
const cells: Cell[] = []
for (const failure of failures) for (const kind of kindsOf(failure)) cells.push(await runCell(failure, kind))

function checkWhoWaits(cell: Cell): void {
  const { failure, kind, aftermath } = cell
  const breadth = breadthByRule(failure, kind)
  assert.deepEqual(waitingIn(cell), waitingAt(breadth, kind), 'who waits')
  const seconds = failure.retryAfterSeconds ?? baseSeconds
  for (const [name, waited] of [...aftermath.waited, ['it', aftermath.failingWaited] as const])
    if (waited > 0) assert.ok(Math.abs(waited - seconds) <= toleranceSeconds, `${name} waited ${waited} s`)
  assert.ok(aftermath.failingWaited > 0, 'the failing request must wait')
}

function checkLog({ failure, kind, aftermath }: Cell): void {
  const { begun, ended } = aftermath
  const breadth = breadthByRule(failure, kind)
  const kinds = new Set<string>(begun.map((event) => event.of))
  assert.ok(kinds.has(breadth), `expected a cool-down of ${breadth}, but found ${[...kinds]}`)
  kinds.delete('token')
  kinds.delete(breadth)
  assert.deepEqual([...kinds], [], 'nothing else cools down')
  assert.ok(begun.every(({ seconds }) => seconds === (failure.retryAfterSeconds ?? baseSeconds)))
  assert.ok(ended.length > 0, 'no cool_down_ended was logged')
}

function checkLoad({ failure, kind, load }: Cell): void {
  if (!load) return
  const { failed, control, mostInTenSeconds, refused } = load
  assert.ok(failed >= 1 && failed <= mostRequests, `${failed} token requests`)
  assert.ok(control <= mostRequests, `${control} control requests`)
  assert.ok(mostInTenSeconds <= mostAtOnce, `${mostInTenSeconds} token requests within 10 s`)
  const allowed: readonly string[] = waitingAt(breadthByRule(failure, kind), kind)
  assert.deepEqual(
    refused.filter((name) => !allowed.includes(name)),
    [],
    'refused although the cause does not concern them',
  )
}

function titleOf({ failure, kind }: Cell): string {
  const request = kind === 'confirmed' ? 'a scope, and own requests fail too' : kind
  return `${failure.name} (${request}) makes only the ${breadthByRule(failure, kind)} wait`
}

for (const cell of cells)
  test(titleOf(cell), () => {
    checkWhoWaits(cell)
    checkLog(cell)
    checkLoad(cell)
  })

test('the table in the README has exactly the results of this run', (t) => {
  const rows = rowsOf(cells)
  for (const row of rows) t.diagnostic(row)
  if (process.env['TOKENWELL_UPDATE_TABLES'] === '1') writeFileSync(readmePath, withRowsBelow(heading, rows))
  assert.deepEqual(rowsBelow(heading), rows)
})

test('no two failures have the same name', () => {
  const names = failures.map(({ name }) => name)
  assert.deepEqual(names, [...new Set(names)])
})
