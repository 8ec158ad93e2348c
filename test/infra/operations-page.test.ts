import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { functionTable } from '../../infra/stack/function-table.ts'
import { readCacheKeys } from '../../lib/fleet/cache-keys.ts'
import { keysToPublish } from '../../lib/key-lifecycle/published-keys.ts'
import { Secret } from '../../lib/secret/secret.ts'
import { currentKey } from '../../lib/signing/signing-key.ts'
import { readSigningKeys } from '../../lib/signing/signing-secret.ts'
import { root } from '../support/process/local-run.ts'
import { createTestStack, resourceNamed, resourceOf, resourcesOf } from './stack/test-stack.ts'

/* infra/operations.md against the synthesized stack: an operator who follows an alarm's description must find its section. */

const path = 'infra/operations.md'
const page = readFileSync(join(root, path), 'utf8')
const sections = sectionsOf(page)

test('each alarm of the stack has a section that says what it means, what to look at and what to do', (t) => {
  for (const { name } of alarmsOf(t)) {
    const section = sections.get(name) ?? ''
    assert.notEqual(section, '', `${path} has no section ### ${name}`)
    const bullets = [...section.matchAll(/^- \*\*(.+?):\*\* .{20}/gm)].map(([, word]) => word)
    assert.deepEqual(bullets, ['Means', 'Look at', 'Do'], name)
  }
})

test('each section about an alarm is about an alarm of the stack', (t) => {
  const [, alarmSections = ''] =
    /\n## Alarms of tokens and APIs\n([\s\S]*)\n## Find the reason of an error\n/.exec(page) ?? []
  const names = [...alarmSections.matchAll(/^### (.+)$/gm)].map(([, name]) => name)
  assert.deepEqual(
    names.toSorted(),
    alarmsOf(t)
      .map(({ name }) => name)
      .toSorted(),
  )
})

test("the description of each alarm ends with the address of its section, within CloudWatch's 1,024 characters", (t) => {
  for (const { name, description } of alarmsOf(t)) {
    assert.ok(description.endsWith(` See ${path}#${name.toLowerCase()}`), description)
    assert.ok(description.length <= 1_024, name)
  }
})

test('the table of alarms has the metric, the threshold and the period of each alarm', (t) => {
  const rows = page.split('\n').filter((line) => /^\| \[\w+\]\(#\w+\) \| /.test(line))
  assert.deepEqual(
    rows,
    alarmsOf(t).map(({ row }) => row),
  )
})

test('the page explains each graph of the dashboard, in its order', (t) => {
  const { Properties } = resourceOf(createTestStack(t).stack, 'AWS::CloudWatch::Dashboard')
  const { widgets } = JSON.parse(String(Properties['DashboardBody'])) as {
    widgets: { properties: { title: string } }[]
  }
  const titles = widgets.map(({ properties }) => properties.title)
  const functions = titles.filter((title) => /^[a-z-]+$/.test(title))
  const rows = [...(sections.get('Dashboard') ?? '').matchAll(/^\| (.+?) \| [A-Z]/gm)].map(([, title = '']) => title)
  assert.deepEqual(
    rows.slice(0, -1),
    titles.filter((title) => !functions.includes(title)),
  )
  assert.deepEqual((rows.at(-1) ?? '').replaceAll('`', '').split(', ').toSorted(), functions.toSorted())
})

test('the table of limits has the values of the stack', (t) => {
  const { stack } = createTestStack(t)
  const limits = new Map(
    [...(sections.get('Limits') ?? '').matchAll(/^\| (.+?) \| (.+?) \| .+ \|$/gm)].map(([, name, value]) => [
      name,
      value,
    ]),
  )
  const { DefaultRouteSettings: all, RouteSettings: own } = resourceOf(stack, 'AWS::ApiGatewayV2::Stage').Properties
  assert.equal(limits.get('requests to a route'), throttleText(all))
  const { 'GET /jwt/{jwtBuilder}/jwk': publicRoute } = own as Record<string, unknown>
  assert.equal(limits.get('requests to the public route of `publish-keys`'), throttleText(publicRoute))

  const { callApi, issueToken, publishKeys, warmTokens, refreshToken, rotateKey } = functionTable
  assert.equal(callApi.timeoutSeconds, issueToken.timeoutSeconds)
  assert.equal(refreshToken.timeoutSeconds, rotateKey.timeoutSeconds)
  assert.equal(
    limits.get('duration of a run behind the HTTP API'),
    `${callApi.timeoutSeconds} s; \`publish-keys\` ${publishKeys.timeoutSeconds} s`,
  )
  assert.equal(limits.get('duration of a run of `warm-tokens`'), `${warmTokens.timeoutSeconds} s`)
  assert.equal(limits.get('duration of a run of `refresh-token` and `rotate-key`'), `${rotateKey.timeoutSeconds} s`)

  const { BatchSize, ScalingConfig } = resourceOf(stack, 'AWS::Lambda::EventSourceMapping').Properties
  const { MaximumConcurrency } = ScalingConfig as { MaximumConcurrency: number }
  assert.equal(limits.get('events of `refresh-token` at a time'), `${MaximumConcurrency} batches of ${BatchSize}`)
  const daysIn = (queue: string) =>
    Number(resourceNamed(stack, 'AWS::SQS::Queue', queue).Properties['MessageRetentionPeriod']) / 86_400
  assert.equal(limits.get('an event in the queue'), `${daysIn('TokensRefreshesQueue')} days`)
  assert.equal(limits.get('an event among the dead letters'), `${daysIn('TokensRefreshesDeadLetters')} days`)
  const { RetentionInDays } = resourceNamed(stack, 'AWS::Logs::LogGroup', 'TokensIssueTokenLog').Properties
  assert.equal(limits.get('log lines'), `${RetentionInDays} days`)
})

test('of two keys that an operator stores with signsFrom, both are published, and the clock decides which one signs', () => {
  const [text = ''] = (sections.get('Keys that you bring') ?? '').match(/(?<=^```json\n)[\s\S]*?(?=^```$)/m) ?? []
  const { keys } = JSON.parse(text) as { keys: Record<string, unknown>[] }
  const stored = keys.map((key) => ({
    ...key,
    ...generateKeyPairSync('ec', { namedCurve: String(key['crv']) }).privateKey.export({ format: 'jwk' }),
  }))
  const read = readSigningKeys('tokenwell/prod/my-key', new Secret(JSON.stringify({ keys: stored })))
  const [older, newer] = read
  const changeAt = Number(keys[1]?.['signsFrom']) * 1_000
  assert.equal(currentKey(read, changeAt - 1), older)
  assert.equal(currentKey(read, changeAt), newer)
  const published = keysToPublish(
    { algorithm: 'ES256', key: { jwtBuilder: 'myBuilder', location: 'tokenwell/prod/my-key' }, assertionSeconds: 120 },
    read,
    changeAt - 1,
  )
  assert.deepEqual(
    published.map(({ jwk }) => jwk.kid),
    [older?.keyId, newer?.keyId],
  )
})

test('in each step of its rotation, the secret of the cache keeps the naming key and the encryption keys that are still needed', () => {
  const seed = 's'.repeat(64)
  const examples = [...(sections.get("Rotate the cache's secret") ?? '').matchAll(/^```json\n([\s\S]*?)^```$/gm)]
  assert.equal(examples.length, 2)
  const written = examples.map(([, text = '']) =>
    text.replace('<the text that is in the secret>', seed).replace('<32 bytes in base64url>', 'A'.repeat(43)),
  )
  const [before, during, after] = [JSON.stringify({ seed }), ...written].map((text) =>
    readCacheKeys('tokenwell/prod/cache', new Secret(text)),
  )
  assert.ok(before && during && after)
  assert.deepEqual([...during.encryptionKeys.keys()], ['2026-11', 'seed'])
  assert.deepEqual(during.encryptionKeys.get('seed'), before.encryptionKeys.get('seed'))
  assert.deepEqual([...after.encryptionKeys.keys()], ['2026-11'])
  for (const { namingKey } of [during, after]) assert.ok(namingKey.equals(before.namingKey))
})

function throttleText(settings: unknown): string {
  const { ThrottlingRateLimit: rate, ThrottlingBurstLimit: burst } = settings as Record<string, number>
  return `${rate} a second, ${burst} in a burst`
}

interface AlarmOfStack {
  readonly name: string
  readonly description: string
  /** In the table of the page. */
  readonly row: string
}

const statistics: Readonly<Record<string, string>> = {
  Sum: 'sum',
  Maximum: 'maximum',
  Minimum: 'minimum',
  SampleCount: 'number',
}
const comparisons: Readonly<Record<string, string>> = {
  'GreaterThanOrEqualToThreshold notBreaching': '>= ',
  'LessThanThreshold breaching': 'no value, or < ',
  'LessThanThreshold notBreaching': '< ',
}

function alarmsOf(t: TestContext): AlarmOfStack[] {
  const alarms = Object.entries(resourcesOf(createTestStack(t).stack, 'AWS::CloudWatch::Alarm'))
  assert.ok(alarms.length > 20)
  return alarms.map(([id, { Properties }]) => {
    const { AlarmDescription, EvaluationPeriods, Metrics, Period = 300 } = Properties
    const name = id.replace('TokensAlarms', '')
    const minutes = Number(Period) / 60
    const period = minutes < 60 ? `${minutes} min` : `${minutes / 60} h`
    const cells = [
      `[${name}](#${name.toLowerCase()})`,
      ...(Array.isArray(Metrics) ? shareCells(Properties) : numberCells(Properties)),
      EvaluationPeriods === 1 ? period : `${EvaluationPeriods} x ${period} in a row`,
    ]
    return { name, description: String(AlarmDescription), row: `| ${cells.join(' | ')} |` }
  })
}

function numberCells(alarm: Readonly<Record<string, unknown>>) {
  const { MetricName, Statistic, ComparisonOperator, TreatMissingData, Threshold } = alarm
  const value = `${comparisons[`${ComparisonOperator} ${TreatMissingData}`]}${Threshold}`
  return [`${statistics[String(Statistic)]} of \`${MetricName}\``, value]
}

function shareCells({ Metrics, Threshold }: Readonly<Record<string, unknown>>) {
  const [{ Label, Expression }] = Metrics as [{ Label: string; Expression: string }]
  const [, metric, shareOf] = /^(\w+), percent of (.+)$/.exec(Label) ?? []
  const [, minimum] = /^IF\(counted >= (\d+), /.exec(Expression) ?? []
  return [`\`${metric}\`, share of ${shareOf}`, `>= ${Threshold} %, and at least ${minimum}`]
}

/** The text below each heading, up to the next heading of any level. */
function sectionsOf(text: string): ReadonlyMap<string, string> {
  const parts = text.split(/^#{2,4} /m).slice(1)
  return new Map(parts.map((part) => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n'))]))
}
