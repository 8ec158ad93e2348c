import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App, Stack } from 'aws-cdk-lib'
import { BUNDLING_STACKS } from 'aws-cdk-lib/cx-api'
import { Tokenwell } from '../stack/tokenwell.ts'
import { defaultSwitches, monthlyCost, type StackFacts, type Switches, sumOf, type Workload } from './monthly-cost.ts'
import { costOf, type Price, prices } from './prices.ts'
import { metricsWithoutFailures, renewalSeconds } from './quantities.ts'

const manyCalls = 1e9
const someCalls = 1e6
const connectionCounts = [10, 1_000, 10_000] as const
const monthHours = 730
const days = 365 / 12

/** The page with its tables, rewritten from prices, quantities and the synthesized stack. */
export function withCosts(page: string): string {
  const facts = factsOfStack()
  const tables = {
    idle: () => costTable(facts, 0, [0], ['an unused stage']),
    'a million calls a day': () => costTable(facts, someCalls, connectionCounts, columnsOf(connectionCounts)),
    'a billion calls a day': () => costTable(facts, manyCalls, connectionCounts, columnsOf(connectionCounts)),
    switches: () => switchTable(facts),
    'keys in KMS': kmsTable,
    metrics: metricTable,
    valkey: valkeyTable,
    prices: priceTable,
  }
  return Object.entries(tables).reduce((text, [name, make]) => replaceTable(text, name, make()), page)
}

function replaceTable(page: string, name: string, table: string): string {
  const begin = `<!-- npm run costs (${name}) -->\n`
  const [before, rest] = page.split(begin)
  const end = '<!-- end of npm run costs -->\n'
  const at = rest?.indexOf(end) ?? -1
  if (rest === undefined || at < 0)
    throw new Error(`The page has no place for the table "${name}". Add the lines ${begin}and ${end}`)
  return `${before}${begin}\n${table}\n${rest.slice(at)}`
}

function columnsOf(counts: readonly number[]): string[] {
  return counts.map((count) => `${count.toLocaleString('en')} connections`)
}

function costTable(
  facts: StackFacts,
  callsADay: number,
  counts: readonly number[],
  columns: readonly string[],
): string {
  const workloads = counts.map((connections): Workload => ({ callsADay, connections }))
  const costs = workloads.map((workload) => monthlyCost(workload, facts))
  const [first = []] = costs
  const rows = first.map(({ name, isOfHttp }, index) => [
    isOfHttp ? `${name} *` : name,
    ...costs.map((items) => dollars(items[index]?.dollars ?? 0)),
  ])
  const sums = [
    ['**sum, calls by HTTP**', ...costs.map((items) => dollars(sumOf(items, 'http')))],
    ['**sum, calls by direct invocation**', ...costs.map((items) => dollars(sumOf(items, 'alias')))],
  ]
  const perMillion = costs.map((items) => dollars((sumOf(items, 'http') / callsADay / days) * 1e6))
  const each = callsADay > 0 ? [['a million calls by HTTP', ...perMillion]] : []
  const used = rows.filter(([, ...cells]) => callsADay > 0 || cells.some((cell) => cell !== '0.00'))
  return tableOf(
    ['dollars a month', ...columns],
    [
      ...used,
      ...(callsADay > 0 ? sums : [['**sum**', ...costs.map((items) => dollars(sumOf(items, 'http')))]]),
      ...each,
    ],
  )
}

/** What each switch takes off the bill of a month. */
function switchTable(facts: StackFacts): string {
  const workloads: readonly Workload[] = [
    { callsADay: someCalls, connections: 1_000 },
    { callsADay: someCalls, connections: 10_000 },
    { callsADay: manyCalls, connections: 1_000 },
    { callsADay: manyCalls, connections: 10_000 },
  ]
  const changes: readonly (readonly [name: string, change: Partial<Switches>])[] = [
    ['`metricsByConnection: false`', { metricsByConnection: false }],
    ['`tracing: false`', { tracing: false }],
    ["`logLevel: 'warn'`", { logLevel: 'warn' }],
    ['all three', { metricsByConnection: false, tracing: false, logLevel: 'warn' }],
    ["`platformLogLevel: 'info'` adds", { platformLogLevel: 'info' }],
  ]
  const of = (workload: Workload, change: Partial<Switches>) =>
    sumOf(monthlyCost(workload, facts, { ...defaultSwitches, ...change }), 'http')
  const rows = changes.map(([name, change]) => [
    name,
    ...workloads.map((workload) => dollars(Math.abs(of(workload, {}) - of(workload, change)))),
  ])
  const columns = workloads.map(
    ({ callsADay, connections }) =>
      `${callsADay === someCalls ? 'a million' : 'a billion'} calls a day, ${connections.toLocaleString('en')} connections`,
  )
  return tableOf(['dollars a month less', ...columns], rows)
}

function metricTable(): string {
  const { ofStage, ofConnection, ofJwtBuilder } = metricsWithoutFailures()
  return tableOf(
    ['metrics without failures', 'number'],
    [
      ['of the stage', String(ofStage)],
      ['for each connection in use', String(ofConnection)],
      ['for each `jwtBuilder` with keys that Tokenwell makes', String(ofJwtBuilder)],
    ],
  )
}

function valkeyTable(): string {
  const nodes = (name: 'smallValkeyNode' | 'largeValkeyNode') => dollars(costOf(name, 2 * monthHours))
  return tableOf(
    ['in place of the rows of DynamoDB', 'dollars a month'],
    [
      ['two nodes `cache.t4g.micro`', nodes('smallValkeyNode')],
      ['two nodes `cache.m7g.large`', nodes('largeValkeyNode')],
      ['a NAT gateway for the VPC, without its traffic', dollars(costOf('natGateway', monthHours))],
    ],
  )
}

/** What a signing key costs in KMS and in a secret, with one connection that is kept warm. */
function kmsTable(): string {
  const signatures = (days * 86_400) / renewalSeconds
  const cents = (value: number) => value.toFixed(3)
  return tableOf(
    ['in a month', 'dollars'],
    [
      ['a KMS key', cents(costOf('kmsKey', 1))],
      [`${Math.round(signatures)} signatures: one connection, kept warm`, cents(costOf('kmsRequest', signatures))],
      ['730 requests for its public key, one an hour', cents(costOf('kmsRequest', monthHours))],
      ['a million signatures', cents(costOf('kmsRequest', 1e6))],
      ['in place of them: a secret', cents(costOf('secret', 1))],
    ],
  )
}

function priceTable(): string {
  const rows = Object.values<Price>(prices).map(({ what, unit: [count, name], tiers, address, readIn }) => {
    const unit = count === 1 ? name : `${count.toLocaleString('en')} ${name}`
    const steps = tiers.map(([upTo, price], index) => {
      const dollarsOfUnit = String(Number((price * count).toPrecision(9)))
      if (tiers.length === 1) return dollarsOfUnit
      return upTo === Infinity
        ? `above ${shortNumber(tiers[index - 1]?.[0] ?? 0)}: ${dollarsOfUnit}`
        : `to ${shortNumber(upTo)}: ${dollarsOfUnit}`
    })
    return [what, unit, steps.join('; '), `[page](${address})`, readIn]
  })
  return tableOf(['price', 'unit', 'dollars', 'address', 'read in'], rows)
}

function shortNumber(value: number): string {
  if (value % 1e9 === 0) return `${value / 1e9} billion`
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} billion`
  if (value % 1e6 === 0) return `${value / 1e6} million`
  return value.toLocaleString('en')
}

function dollars(value: number): string {
  return value < 1_000 ? value.toFixed(2) : Math.round(value).toLocaleString('en')
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows]
  return lines.map((cells) => `| ${cells.join(' | ')} |\n`).join('')
}

/** Values of the placeholders in the access log, of a call whose caller has a role in this account. */
const accessLogValues: Readonly<Record<string, string>> = {
  requestId: 'Tg1bLjYtliAEMfA=',
  requestTime: '30/Nov/2026:12:00:00 +0000',
  'identity.sourceIp': '203.0.113.17',
  'identity.userArn': 'arn:aws:sts::111122223333:assumed-role/OrdersServiceRole/i-0123456789abcdef0',
  httpMethod: 'POST',
  path: '/connections/orders/token',
  routeKey: 'POST /connections/{connection}/token',
  status: '200',
  responseLatency: '9',
}

interface LogSettings {
  readonly Format: string
}

interface Template {
  readonly Resources: Readonly<Record<string, { readonly Type: string; readonly Properties?: Record<string, unknown> }>>
}

function factsOfStack(): StackFacts {
  const outdir = mkdtempSync(join(tmpdir(), 'tokenwell-costs-'))
  try {
    const app = new App({ outdir, context: { [BUNDLING_STACKS]: [] }, analyticsReporting: false })
    const stack = new Stack(app, 'Tokenwell')
    new Tokenwell(stack, 'Tokens', { stage: 'prod', publicUrl: 'https://tokens.example' })
    const { Resources: resources } = app.synth().getStackByName(stack.stackName).template as Template
    const all = Object.values(resources)
    const stages = all.filter(({ Type }) => Type === 'AWS::ApiGatewayV2::Stage')
    const [format = ''] = stages.map(({ Properties = {} }) => (Properties['AccessLogSettings'] as LogSettings).Format)
    return {
      alarmMetrics: all
        .filter(({ Type }) => Type === 'AWS::CloudWatch::Alarm')
        .reduce((sum, { Properties = {} }) => sum + metricsOf(Properties['Metrics']), 0),
      accessLogBytes: Buffer.byteLength(`${filled(format)}\n`),
    }
  } finally {
    rmSync(outdir, { recursive: true, force: true })
  }
}

/** CloudWatch charges an alarm on a computed value for each metric that it is computed from. */
function metricsOf(metrics: unknown): number {
  return Array.isArray(metrics) ? metrics.filter((each) => 'MetricStat' in each).length : 1
}

/** A placeholder without a value is a dash in the log. */
function filled(format: string): string {
  return format.replaceAll(/\$context\.([\w.]+)/g, (_, name: string) => accessLogValues[name] ?? '-')
}
