import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { NestedStack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { elementsFileOf, exampleIssuer } from '../../support/elements/element-store.ts'
import { exampleElements, type RawElements, withoutUndefined } from '../../support/elements/elements.ts'
import { assertWithinLimits, createTestStack } from './test-stack.ts'

/* CloudFormation allows 500 resources and 1 MB a template, and 2,500 resources an operation. No emulator enforces it, so this counts. */

const connectionCount = 1_000
const withMadeKeys = 200

test('1,000 connections of six elements fit into the limits of CloudFormation, and a change of one changes one file', async (t) => {
  const before = await synthesize(t, manyConnections())
  const resources = before.templates.map((template) => Object.keys(template['Resources']).length)
  const all = resources.reduce((sum, count) => sum + count, 0)
  t.diagnostic(`${before.templates.length} templates with ${all} resources, at most ${Math.max(...resources)} in one`)
  assert.ok(all <= 2_500, String(all))
  assert.ok(all > 2 * withMadeKeys)

  const elements = manyConnections()
  Object.assign(elements['oAuthConfig']?.['conn7'] ?? assert.fail(), { scope: 'changed' })
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

/** Each with its own six elements. One in five has keys that Tokenwell makes. */
function manyConnections(): RawElements {
  const { jwtBuilder, oAuthTokenConfig, authorizationServer, oAuthConfig, endpointConnection, ...others } =
    withoutUndefined(exampleElements(exampleIssuer))
  const [builder, tokenConfig, server, config, connection] = [
    jwtBuilder?.['theBuilder'],
    oAuthTokenConfig?.['theTokenConfig'],
    authorizationServer?.['theServer'],
    oAuthConfig?.['theConfig'],
    endpointConnection?.['conn'],
  ]
  const forEach = (make: (name: string, index: number) => Record<string, unknown>) =>
    Object.fromEntries(
      Array.from({ length: connectionCount }, (_, index) => [`conn${index}`, make(`conn${index}`, index)]),
    )
  const location = 'tokenwell/test/keys'
  return {
    ...others,
    keyStore: { theTrust: { location: 'tokenwell/test/ca' }, ...forEach(() => ({ location })) },
    jwtBuilder: forEach((keyStoreRef, index) => ({
      ...builder,
      ...(index < withMadeKeys ? { jwkEnabled: true } : { jwkEnabled: false, keyStoreRef }),
    })),
    oAuthTokenConfig: forEach((tokenGeneratorRef) => ({ ...tokenConfig, tokenGeneratorRef })),
    authorizationServer: forEach(() => ({ ...server })),
    oAuthConfig: forEach((name) => ({ ...config, authServerRef: name, jwtAuthenticationTokenRef: name })),
    endpointConnection: forEach((authenticationConfigRef) => ({ ...connection, authenticationConfigRef })),
  }
}

/** The paths at which two values differ. */
function differences(one: unknown, other: unknown, path = ''): string[] {
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null)
    return one === other ? [] : [path]
  const names = new Set([...Object.keys(one), ...Object.keys(other)])
  return [...names].flatMap((name) => differences(Reflect.get(one, name), Reflect.get(other, name), `${path}.${name}`))
}
