import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { BUNDLING_STACKS } from 'aws-cdk-lib/cx-api'
import { functionIds, functionTable } from '../../infra/stack/function-table.ts'
import { root, runShell } from '../support/process/local-run.ts'
import { temporaryFolder } from '../support/process/temporary-folder.ts'

/* npm run synth with the CDK's own checks of the template, and the app itself, each in a separate process without an AWS account. */

test('npm run synth without settings writes an example and prints its path', async (t) => {
  const { status, output, template } = await synthesize(t, 'synth.ts')
  assert.equal(status, 0, output)
  assert.match(output, /^Wrote \S+Tokenwell-example\.template\.json for the URL of its HTTP API\.$/m)
  const { Outputs } = template('Tokenwell-example')
  assert.deepEqual(Object.keys(Outputs), [
    'ApiUrl',
    'FunctionName',
    'AccessLog',
    'FunctionLog',
    'CallApiLog',
    'WarmTokensLog',
    'RefreshTokenLog',
    'PublishKeysLog',
    'RotateKeyLog',
    'JwkSetUrl',
    'EventBusName',
    'DeadLetterQueueUrl',
  ])
  for (const id of functionIds) assert.ok(functionTable[id].logOutput in Outputs, id)
  assert.deepEqual(namesInTable('### Outputs of the stack').toSorted(), Object.keys(Outputs).toSorted())
})

test('npm run synth takes each setting as an argument, and prints the path of the template that it wrote', async (t) => {
  const settings = ['stage=prod', 'publicUrl=https://tokens.example/?a=b', 'reservedConcurrency=call-api=400']
  const { status, output, template } = await synthesize(
    t,
    'synth.ts',
    { TOKENWELL_STAGE: 'other', CDK_CONTEXT_JSON: JSON.stringify(withoutBundles) },
    settings.map((setting) => `-c '${setting}'`).join(' '),
  )
  assert.equal(status, 0, output)
  assert.match(output, /^Wrote \S+\/Tokenwell-prod\.template\.json for https:\/\/tokens\.example\/\?a=b\.$/m)
  const text = JSON.stringify(template('Tokenwell-prod'))
  assert.match(text, /"TOKENWELL_PUBLIC_URL":"https:\/\/tokens\.example\/\?a=b"/)
  assert.match(text, /"ReservedConcurrentExecutions":400/)
})

for (const [words, message] of [
  ['-c stag=prod', /^There is no setting stag\. Did you mean stage\?$/m],
  [
    '-c colour=red',
    /^There is no setting colour\. The settings are stage, publicUrl, elements, alarmTopicArn, reservedC/m,
  ],
  [
    '-c signingKeysInStack=first',
    /^The setting signingKeysInStack is first\. Write the names of jwtBuilders as a JSON list, such as \["first","second"\], or \[\]\.$/m,
  ],
  [
    '-c readRecordsOf=0.2',
    /^The setting readRecordsOf is 0\.2\. Set it to 0\.1 during the upgrade from that version, or remove it\.$/m,
  ],
  ['-c stage', /^The setting stage has no value\.\nWrite each setting as -c <name>=<value>, for example /m],
  ['--stage prod', /^error: unknown option '--stage'\nWrite each setting as -c <name>=<value>, for example /m],
  ['prod', /^error: too many arguments\. .*\nWrite each setting as -c <name>=<value>, for example /m],
] as const)
  test(`npm run synth -- ${words} is refused, and writes nothing`, async (t) => {
    const { status, output, template } = await synthesize(t, 'synth.ts', {}, words)
    assert.equal(status, 1)
    assert.match(output, message)
    assert.throws(() => template('Tokenwell-example'), /ENOENT/)
  })

test('stage, public URL, elements, topic and reserved concurrency come from the environment', async (t) => {
  const topic = 'arn:aws:sns:eu-central-1:111122223333:operators'
  const { status, output, template } = await synthesize(t, 'app.ts', {
    TOKENWELL_STAGE: 'local',
    TOKENWELL_PUBLIC_URL: 'https://tokens.example',
    TOKENWELL_ELEMENTS: join(root, 'infra', 'local', 'elements.json'),
    TOKENWELL_ALARM_TOPIC_ARN: topic,
    TOKENWELL_RESERVED_CONCURRENCY: 'call-api=400, issue-token=100',
    CDK_CONTEXT_JSON: JSON.stringify(withoutBundles),
  })
  assert.equal(status, 0, output)
  const text = JSON.stringify(template('Tokenwell-local'))
  assert.match(text, /"TOKENWELL_PUBLIC_URL":"https:\/\/tokens\.example"/)
  assert.match(text, /"Type":"Custom::TokenwellElements"/)
  assert.ok(text.includes(`"AlarmActions":["${topic}"]`))
  assert.deepEqual(text.match(/"ReservedConcurrentExecutions":\d+/g)?.toSorted(), [
    '"ReservedConcurrentExecutions":100',
    '"ReservedConcurrentExecutions":400',
  ])
})

test("settings in the CDK's context take precedence", async (t) => {
  const context = { stage: 'prod', publicUrl: 'https://tokens.example', ...withoutBundles }
  const { status, output, template } = await synthesize(t, 'app.ts', {
    TOKENWELL_STAGE: 'other',
    CDK_CONTEXT_JSON: JSON.stringify(context),
  })
  assert.equal(status, 0, output)
  assert.match(JSON.stringify(template('Tokenwell-prod')), /"TOKENWELL_STAGE":"prod"/)
})

test('the app deploys nothing without a stage or a public URL', async (t) => {
  const { status, output } = await synthesize(t, 'app.ts')
  assert.equal(status, 1)
  assert.match(
    output,
    /^The setting stage is missing\. Add -c stage=\.\.\., or set the environment variable TOKENWELL_STAGE\.$/m,
  )
})

test('a stage whose name cannot be part of a stack name is refused with the reason', async (t) => {
  const settings = { TOKENWELL_STAGE: 'my_stage', TOKENWELL_PUBLIC_URL: 'https://tokens.example' }
  const { status, output } = await synthesize(t, 'app.ts', settings)
  assert.equal(status, 1)
  assert.match(output, /^The stage my_stage has a _, which the name of a CloudFormation stack cannot have\. Write - /m)
})

test('infra/README.md lists the settings that the app reads', () => {
  const app = readFileSync(join(root, 'infra', 'app.ts'), 'utf8')
  const read = [...app.matchAll(/Setting\('(\w+)', '(\w+)'\)/g)].flatMap(([, context = '', variable = '']) => [
    context,
    variable,
  ])
  assert.deepEqual(namesInTable('### Settings of the synthesis').toSorted(), [...read, 'CDK_OUTDIR'].toSorted())
})

/** Bundling takes most of the time. Only the first test bundles. */
const withoutBundles = { [BUNDLING_STACKS]: [] }
const nothingTold = {
  TOKENWELL_STAGE: '',
  TOKENWELL_PUBLIC_URL: '',
  TOKENWELL_ELEMENTS: '',
  TOKENWELL_ALARM_TOPIC_ARN: '',
  TOKENWELL_RESERVED_CONCURRENCY: '',
  TOKENWELL_SIGNING_KEYS_IN_STACK: '',
  TOKENWELL_READ_RECORDS_OF: '',
}

async function synthesize(t: TestContext, script: string, environment: Record<string, string> = {}, words = '') {
  const folder = await temporaryFolder(t)
  const run = await runShell(`${process.execPath} ${join(root, 'infra', script)} ${words}`, {
    CDK_OUTDIR: folder,
    // The CDK's own check of a template takes long too.
    CDK_VALIDATION: String(script === 'synth.ts' && words === ''),
    ...nothingTold,
    ...environment,
  })
  return {
    ...run,
    template: (stack: string) => JSON.parse(readFileSync(join(folder, `${stack}.template.json`), 'utf8')),
  }
}

/** The names in code in the cells of a table of infra/README.md, except those of its last column. */
function namesInTable(heading: string): string[] {
  const page = readFileSync(join(root, 'infra', 'README.md'), 'utf8')
  const [, below = ''] = page.split(`\n${heading}\n`)
  const [table = ''] = /(?:^\|.*\n)+/m.exec(below) ?? []
  return table.split('\n').flatMap((line) => {
    const names = line.split(' | ').slice(0, -1).join()
    return [...names.matchAll(/`(\w+)`/g)].map(([, name = '']) => name)
  })
}
