import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { type App, type Stack, Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks, type NagPack, ServerlessChecks } from 'cdk-nag'
import { functionNames } from '../../../infra/bundle.ts'
import { writeTemplate } from '../../../infra/package/template.ts'
import { root } from '../../support/process/local-run.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'
import { MissingServerError, startIfThere } from '../../support/servers/real-server.ts'
import { createTestStack, everyProperty, resourcesOf, type TestStack } from './test-stack.ts'

/* Checkers of others. Each finding is fixed, or suppressed with a reason at its resource. */

/** The elements include jwtBuilders with rotated keys. */
const withElements = { stage: 'local', elements: join(root, 'infra', 'local', 'elements.json') }
const variants = {
  'by default': {},
  'with every property': everyProperty,
  'with elements': withElements,
} as const

for (const [variant, props] of Object.entries(variants)) {
  test(`every finding of cdk-nag has a reason, ${variant}`, (t) => {
    const { app, stack } = createTestStack(t, props)
    assert.deepEqual(nagFindings(app, stack), [])
  })

  test(`every finding of cfn-lint has a reason, ${variant}`, async (t) => {
    const { status, output } = (await runIfThere(t, 'cfn-lint', [templateOf(createTestStack(t, props))])) ?? {}
    if (status === undefined) return
    assert.equal(status, 0, output)
  })

  test(`every finding of checkov has a reason, ${variant}`, async (t) => {
    const template = templateOf(createTestStack(t, props))
    // Otherwise it would fetch its guidelines from the network.
    const words = ['--framework', 'cloudformation', '--skip-download', '--output', 'json', '--file', template]
    const { status, output } = (await runIfThere(t, 'checkov', words)) ?? {}
    if (status === undefined || output === undefined) return
    const { results, summary } = JSON.parse(output)
    assert.deepEqual(
      results.failed_checks.map(({ check_id, check_name, resource }: Record<string, string>) =>
        [check_id, check_name, resource].join(' '),
      ),
      [],
    )
    assert.ok(summary.passed > 10 && summary.parsing_errors === 0, 'it has looked')
  })
}

test('cfn-lint finds nothing in the template for teams without the CDK, except that its code is not packaged yet', async (t) => {
  const built = await temporaryFolder(t)
  for (const name of functionNames) mkdirSync(join(built, name))
  const folder = join(built, 'template')
  writeTemplate(built, folder)
  const words = ['--ignore-checks', 'W3002', '--', join(folder, 'template.json')]
  const { status, output } = (await runIfThere(t, 'cfn-lint', words)) ?? {}
  if (status !== undefined) assert.equal(status, 0, output)
})

test('every suppression of cdk-nag suppresses a finding', (t) => {
  for (const props of Object.values(variants)) {
    const { app, stack } = createTestStack(t, props)
    const passedOver = takeAcknowledgementsOut(stack)
    const found = nagFindings(app, stack).map((line) => line.slice(0, line.lastIndexOf(' ')))
    assert.deepEqual(new Set(found), passedOver)
    assert.ok(passedOver.has('AwsSolutions-IAM5[Resource::*]'))
  }
})

test('every reason in the template is a sentence', (t) => {
  for (const props of Object.values(variants)) {
    const { stack } = createTestStack(t, props)
    for (const [id, { Metadata = {} }] of Object.entries(allResources(stack))) {
      const { checkov, 'cfn-lint': cfnLint } = Metadata as {
        checkov?: { skip: { comment: string }[] }
        'cfn-lint'?: { reasons: Record<string, string> }
      }
      const reasons = [...(checkov?.skip ?? []).map(({ comment }) => comment), ...Object.values(cfnLint?.reasons ?? {})]
      for (const reason of reasons) assert.match(reason, /^\w.{20,}\.$/, id)
    }
  }
})

/** Only of Tokenwell's own stack. */
function nagFindings(app: App, stack: Stack): string[] {
  const packs: NagPack[] = [new AwsSolutionsChecks(app), new ServerlessChecks(app)]
  return packs.flatMap((pack) =>
    pack
      .validateScope(stack)
      .violations.flatMap(({ ruleName, violatingResources }) =>
        violatingResources.map(({ constructPath }) => `${ruleName} ${constructPath}`),
      ),
  )
}

/** Removes all suppressions, and returns the rules that they suppressed. */
function takeAcknowledgementsOut(stack: Stack): Set<string> {
  const entries = stack.node.findAll().flatMap(({ node }) => node.metadata)
  const acknowledged = entries.filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
  return new Set(
    acknowledged.flatMap(({ data }) =>
      Object.keys(data).map((rule) => {
        Reflect.deleteProperty(data, rule)
        return rule.replace(/^annotation::/i, '')
      }),
    ),
  )
}

function templateOf({ app, stack }: TestStack): string {
  app.synth()
  return join(app.outdir, `${stack.stackName}.template.json`)
}

function allResources(stack: Stack) {
  const types = ['DynamoDB::Table', 'SecretsManager::Secret', 'Logs::LogGroup', 'Lambda::Function', 'SQS::Queue']
  return Object.assign({}, ...types.map((type) => resourcesOf(stack, `AWS::${type}`))) as ReturnType<typeof resourcesOf>
}

const advice = { 'cfn-lint': 'pip install cfn-lint', checkov: 'pip install checkov' } as const
/** The exit code of pyenv's shim for a command that is not installed. */
const commandNotFound = 127

function runIfThere(t: TestContext, command: keyof typeof advice, words: readonly string[]) {
  return startIfThere(t, async () => {
    const child = spawn(command, words)
    const ended = new Promise<number | null>((resolve, reject) => {
      child.on('error', (error: NodeJS.ErrnoException) => reject(error.code === 'ENOENT' ? missing(command) : error))
      child.on('close', resolve)
    })
    const [output, , status] = await Promise.all([text(child.stdout), text(child.stderr), ended])
    if (status === commandNotFound) throw missing(command)
    return { status: status ?? -1, output }
  })
}

function missing(command: keyof typeof advice): MissingServerError {
  return new MissingServerError(`${command} is not installed. Install it with: ${advice[command]}`)
}
