import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { withCosts } from '../../../infra/cost/costs-page.ts'
import { defaultSwitches, monthlyCost, sumOf } from '../../../infra/cost/monthly-cost.ts'
import { costOf, type Price, prices } from '../../../infra/cost/prices.ts'
import { counted } from '../../../infra/cost/quantities.ts'
import { root } from '../../support/process/local-run.ts'

// The CDK's own check of the template takes most of the time.
process.env['CDK_VALIDATION'] = 'false'
const page = readFileSync(join(root, 'infra', 'costs.md'), 'utf8')
const facts = { alarmMetrics: 44, accessLogBytes: 400 }

test('the tables of the page are those that npm run costs writes', () => {
  assert.equal(withCosts(page), page, 'run npm run costs')
})

test('a quantity is charged tier by tier', () => {
  assert.equal(costOf('httpApiRequest', 300e6), 300)
  assert.equal(costOf('httpApiRequest', 400e6), 390)
  assert.equal(costOf('functionLogGigabyte', 60 * 1_024), 12_800)
  assert.equal(costOf('customMetric', 0), 0)
})

test('each price has an address of AWS and says where it was read, and its tiers rise to any quantity', () => {
  for (const { what, tiers, address, readIn } of Object.values<Price>(prices)) {
    assert.match(address, /^https:\/\/(docs\.|pricing\.us-east-1\.)?(aws\.amazon|amazonaws)\.com\//, what)
    assert.match(readIn, /^(the page|a quotation)/, what)
    const limits = tiers.map(([upTo]) => upTo)
    assert.deepEqual(
      limits,
      limits.toSorted((a, b) => a - b),
      what,
    )
    assert.equal(limits.at(-1), Infinity, what)
  }
})

test('a direct invocation costs nothing of API Gateway, its access log and the internet', () => {
  const items = monthlyCost({ callsADay: 1e6, connections: 10 }, facts)
  const ofHttp = items.filter(({ isOfHttp }) => isOfHttp).map(({ name }) => name)
  assert.deepEqual(ofHttp, ['HTTP API requests', 'Access log', 'Stored access log', 'Data to callers on the internet'])
  const difference = sumOf(items, 'http') - sumOf(items, 'alias')
  assert.ok(difference > 30 && difference < 60, String(difference))
})

test('each switch takes something off, and only from its own items', () => {
  const workload = { callsADay: 1e6, connections: 1_000 }
  const before = new Map(monthlyCost(workload, facts).map(({ name, dollars }) => [name, dollars]))
  const changed = (change: Partial<typeof defaultSwitches>) =>
    monthlyCost(workload, facts, { ...defaultSwitches, ...change })
      .filter(({ name, dollars }) => dollars !== before.get(name))
      .map(({ name, dollars }) => [name, dollars < (before.get(name) ?? 0)])
  assert.deepEqual(changed({ tracing: false }), [['X-Ray traces', true]])
  const lessLog = [
    ['Logs of the functions', true],
    ['Stored logs of the functions', true],
  ]
  assert.deepEqual(changed({ logLevel: 'warn' }), lessLog)
  assert.deepEqual(changed({ metricsByConnection: false }), [...lessLog, ['Metrics by connection', true]])
  assert.deepEqual(
    changed({ platformLogLevel: 'info' }),
    lessLog.map(([name]) => [name, false]),
  )
})

test('the table of what one call uses has the counted quantities', () => {
  const { confirmation, renewal, reconciliation } = counted
  for (const row of [
    `| read units of DynamoDB | - | ${confirmation.readUnits} | ${renewal.readUnits} | ${reconciliation.readUnits} |`,
    `| write units of DynamoDB, with the index | - | - | ${renewal.writeUnits} | - |`,
    `| calls of Parameter Store | - | - | ${renewal.parameterCalls}, for ${renewal.parameters} parameters | ${reconciliation.parameterCalls}, for ${reconciliation.parameters} parameters |`,
    `| events on the bus | - | - | ${renewal.customEvents} | ${reconciliation.customEvents} |`,
  ])
    assert.ok(page.includes(row), row)
})
