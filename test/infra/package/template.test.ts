import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Template } from 'aws-cdk-lib/assertions'
import { functionNames } from '../../../infra/bundle.ts'
import { writeTemplate } from '../../../infra/package/template.ts'
import { root } from '../../support/process/local-run.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'
import { createTestStack } from '../stack/test-stack.ts'

/* The CloudFormation template for teams without the CDK. checkers.test.ts lets cfn-lint check it. */

interface Resource {
  readonly Type: string
  readonly Properties: Readonly<Record<string, unknown>>
}

test('the template has the resources of the construct, with parameters in place of its properties', async (t) => {
  const { template } = await written(t)
  const { Resources: resources } = Template.fromStack(createTestStack(t).stack).toJSON()
  assert.deepEqual(typesOf(template.Resources), typesOf(resources))
  assert.doesNotMatch(JSON.stringify(template), /stageparameter|publicurlparameter/i)

  const page = readFileSync(join(root, 'infra', 'README.md'), 'utf8')
  const [, section = ''] = page.split('\n## Without the CDK\n')
  const [table = ''] = /(?:^\|.*\n)+/m.exec(section) ?? []
  const names = [...table.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name)
  assert.deepEqual(Object.keys(template.Parameters), names)

  const buses = Object.values(template.Resources).filter(({ Type }) => Type === 'AWS::Events::EventBus')
  assert.deepEqual(
    buses.map(({ Properties }) => Properties['Name']),
    [{ 'Fn::Sub': `tokenwell-\${Stage}` }],
  )
})

/** The template has no elements, so no function that deploys them. */
const functionsWithoutElements = functionNames.filter((name) => name !== 'put-elements')

test('the code of each function is a folder beside the template', async (t) => {
  const { folder, template } = await written(t)
  const functions = Object.values(template.Resources).filter(({ Type }) => Type === 'AWS::Lambda::Function')
  const folders = functions.map(({ Properties }) => String(Properties['Code']))
  assert.deepEqual(
    folders.toSorted(),
    [...functionsWithoutElements, 'of-the-cdk'].map((name) => `functions/${name}`).toSorted(),
  )
  for (const path of folders) {
    const entry = path.endsWith('of-the-cdk') ? 'index.js' : 'index.mjs'
    assert.ok(existsSync(join(folder, path, entry)), path)
  }
})

async function written(t: Parameters<typeof temporaryFolder>[0]) {
  const built = functionNames.map((name) => [`${name}/index.mjs`, 'export {}'] as const)
  const folder = join(await temporaryFolder(t), 'template')
  writeTemplate(await temporaryFolder(t, Object.fromEntries(built)), folder)
  const template = JSON.parse(readFileSync(join(folder, 'template.json'), 'utf8')) as {
    readonly Resources: Readonly<Record<string, Resource>>
    readonly Parameters: Readonly<Record<string, unknown>>
  }
  return { folder, template }
}

function typesOf(resources: Readonly<Record<string, Resource>>): string[] {
  return Object.values(resources)
    .map(({ Type }) => Type)
    .toSorted()
}
