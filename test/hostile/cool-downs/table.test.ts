import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { readmePath, rowsBelow, withRowsBelow } from '../table.ts'
import { type Failure, failures } from './failures.ts'
import { breadthByRule, canBeConfirmed, type RequestKind, requestKinds, waitingAt } from './rules.ts'
import { failForLong, failOnce } from './run-cell.ts'
import { type Cell, heading, rowsOf, waitingIn } from './table.ts'

/*
 * Every failure of every kind of request, in a whole fleet on virtual time: who waits afterwards, who goes on, for how long, and
 * what a server sees that fails for ten minutes. What is found is the table in `test/hostile/README.md`.
 */

const baseSeconds = 30
const wholeSeconds = 600
/** A second to ask, one for a probe of another, and what the failed request took. */
const toleranceSeconds = 3
/** The first of each token key at once, then after 30 s, doubled up to 300 s; a control request every 30 s at most. */
const mostRequests = 30
/** One for each token key that is asked for at the same moment, and the repetitions of one. */
const mostAtOnce = 15

const kindsOf = (failure: Failure): readonly RequestKind[] =>
  canBeConfirmed(failure) ? [...requestKinds, 'confirmed'] : requestKinds

/** The first failure of each evidence, for all requests that differ: a scope stands for the other parts. */
function isRunForLong({ isFull }: Failure, kind: RequestKind): boolean {
  return isFull === true && (kind === 'own' || kind === 'scope' || kind === 'confirmed')
}

async function runCell(failure: Failure, kind: RequestKind): Promise<Cell> {
  const aftermath = await failOnce(failure, kind)
  const load = isRunForLong(failure, kind) ? await failForLong(failure, kind, wholeSeconds) : undefined
  return { failure, kind, aftermath, ...(load && { load }) }
}

/** Before the first test begins: the test runner watches every promise of its tests, which doubles what a cell costs. */
const cells: Cell[] = []
for (const failure of failures) for (const kind of kindsOf(failure)) cells.push(await runCell(failure, kind))

function checkWhoWaits(cell: Cell): void {
  const { failure, kind, aftermath } = cell
  const breadth = breadthByRule(failure, kind)
  assert.deepEqual(waitingIn(cell), waitingAt(breadth, kind), 'who waits')
  const seconds = failure.retryAfterSeconds ?? baseSeconds
  for (const [name, waited] of [...aftermath.waited, ['it', aftermath.failingWaited] as const])
    if (waited > 0) assert.ok(Math.abs(waited - seconds) <= toleranceSeconds, `${name} waited ${waited} s`)
  assert.ok(aftermath.failingWaited > 0, 'what has failed is left alone')
}

function checkLog({ failure, kind, aftermath }: Cell): void {
  const { begun, ended } = aftermath
  const breadth = breadthByRule(failure, kind)
  const kinds = new Set<string>(begun.map((event) => event.of))
  assert.ok(kinds.has(breadth), `a cool-down of ${breadth} begins, not of ${[...kinds]}`)
  kinds.delete('token')
  kinds.delete(breadth)
  assert.deepEqual([...kinds], [], 'nothing else cools down')
  assert.ok(begun.every(({ seconds }) => seconds === (failure.retryAfterSeconds ?? baseSeconds)))
  assert.ok(ended.length > 0, 'the log says that it has ended')
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
    'refused without a cause',
  )
}

function titleOf({ failure, kind }: Cell): string {
  const request = kind === 'confirmed' ? 'a scope, and own requests fail too' : kind
  return `${failure.name} (${request}): ${breadthByRule(failure, kind)} waits, and nothing else`
}

for (const cell of cells)
  test(titleOf(cell), () => {
    checkWhoWaits(cell)
    checkLog(cell)
    checkLoad(cell)
  })

test('the table in the README is what was run', (t) => {
  const rows = rowsOf(cells)
  for (const row of rows) t.diagnostic(row)
  if (process.env['TOKENWELL_UPDATE_TABLES'] === '1') writeFileSync(readmePath, withRowsBelow(heading, rows))
  assert.deepEqual(rowsBelow(heading), rows)
})

test('no two failures have one name', () => {
  const names = failures.map(({ name }) => name)
  assert.deepEqual(names, [...new Set(names)])
})
