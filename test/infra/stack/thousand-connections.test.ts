import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { NestedStack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { elementsFileOf, exampleIssuer } from '../../support/elements/element-store.ts'
import type { RawElements } from '../../support/elements/elements.ts'
import { manyConnections } from '../../support/elements/many-connections.ts'
import { assertWithinLimits, createTestStack } from './test-stack.ts'

/* CloudFormation allows 500 resources and 1 MB a template, and 2,500 resources an operation. No emulator enforces it, so this counts. */

const withMadeKeys = 200
const many = { issuer: exampleIssuer, stage: 'test', connections: 1_000, withMadeKeys }

test('1,000 connections of six elements fit into the limits of CloudFormation, and a change of one changes one file', async (t) => {
  const before = await synthesize(t, manyConnections(many))
  const resources = before.templates.map((template) => Object.keys(template['Resources']).length)
  const all = resources.reduce((sum, count) => sum + count, 0)
  t.diagnostic(`${before.templates.length} templates with ${all} resources, at most ${Math.max(...resources)} in one`)
  assert.ok(all <= 2_500, String(all))
  assert.ok(all > 2 * withMadeKeys)

  const elements = manyConnections(many)
  Object.assign(elements['oAuthConfig']?.['conn7'] ?? assert.fail('there is no conn7'), { scope: 'changed' })
  const after = await synthesize(t, elements)
  const [change, ...more] = differences(before.templates, after.templates)
  assert.match(String(change), /ElementsWritten\w+\.Properties\.key$/)
  assert.deepEqual(more, [])
})

async function synthesize(t: TestContext, elements: RawElements) {
  const { stack } = createTestStack(t, { elements: await elementsFileOf(t, elements), signingKeysInStack: [] })
  const stacks = [stack, ...stack.node.findAll().filter((each) => each instanceof NestedStack)]
  for (const each of stacks) assertWithinLimits(each)
  return { templates: stacks.map((each) => Template.fromStack(each).toJSON()) }
}

/** The paths at which two values differ. */
function differences(one: unknown, other: unknown, path = ''): string[] {
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null)
    return one === other ? [] : [path]
  const names = new Set([...Object.keys(one), ...Object.keys(other)])
  return [...names].flatMap((name) => differences(Reflect.get(one, name), Reflect.get(other, name), `${path}.${name}`))
}
