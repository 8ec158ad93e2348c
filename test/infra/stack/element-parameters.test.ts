import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Stack } from 'aws-cdk-lib'
import { Annotations, Match } from 'aws-cdk-lib/assertions'
import { elementsFileOf, exampleIssuer } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'
import { createTestStack, resourcesOf } from './test-stack.ts'

const testElements = () => ({
  ...exampleElements(exampleIssuer),
  keyStore: { theTrust: { location: 'tokenwell/test/authorization-server-ca' } },
})

test('each element of a file is the parameter that the function reads', async (t) => {
  const elements = testElements()
  const { stack } = createTestStack(t, { elements: await elementsFileOf(t, elements) })
  const expected = Object.entries(elements).flatMap(([kind, byId]) =>
    Object.entries(byId).map(([id, element]) => [`/tokenwell/test/${kind}/${id}`, JSON.stringify(element)]),
  )
  assert.deepEqual(parametersOf(stack), Object.fromEntries(expected))
})

test('each file of a folder is a parameter, except files that begin with a dot', async (t) => {
  const files = Object.entries(testElements()).flatMap(([kind, byId]) =>
    Object.entries(byId).map(([id, element]) => [`${kind}/${id}.json`, JSON.stringify(element, undefined, 2)]),
  )
  const hidden = { '.editor/settings.json': '{}', 'keyStore/.theTrust.json': '{' }
  const folder = await temporaryFolder(t, { ...Object.fromEntries(files), ...hidden })
  const { stack } = createTestStack(t, { elements: folder })
  const file = createTestStack(t, { elements: await elementsFileOf(t, testElements()) })
  assert.deepEqual(parametersOf(stack), parametersOf(file.stack))
})

test('without elements there are no parameters, because they come from elsewhere', (t) => {
  assert.deepEqual(parametersOf(createTestStack(t).stack), {})
})

test('mistakes fail the synthesis, and all are reported at once', async (t) => {
  const elements = exampleElements(exampleIssuer, { server: { tokenEndpoint: 'http://as.example/token' } })
  const path = await elementsFileOf(t, { ...elements, zosconnect_jwtBuilder: {} })
  assert.throws(
    () => createTestStack(t, { elements: path }),
    ({ message }: Error) => {
      assert.match(message, /^The elements cannot be deployed:\n/)
      assert.match(message, /zosconnect_jwtBuilder: There is no such kind of element\. Did you mean jwtBuilder\?/)
      assert.match(message, /tokenEndpoint: It must begin with https:\/\//)
      assert.match(message, /keyStore\/theTrust location: .*tokenwell\/test\//, 'the secrets of another stage')
      return true
    },
  )
  const missing = join(path, '..', 'missing')
  assert.throws(() => createTestStack(t, { elements: missing }), /missing cannot be read \(ENOENT\)/)
})

test('warnings are printed by the synthesis', async (t) => {
  const elements = {
    ...testElements(),
    ...pick(exampleElements(exampleIssuer, { builder: { jti: false } }), 'jwtBuilder'),
  }
  const { stack } = createTestStack(t, { elements: await elementsFileOf(t, elements) })
  const [warning, ...more] = Annotations.fromStack(stack).findWarning('*', Match.stringLikeRegexp('.'))
  assert.match(String(warning?.entry.data), /jwtBuilder\/theBuilder jti: An assertion without jti can be replayed/)
  assert.deepEqual(more, [])
})

test('a large element becomes an advanced parameter, and the error for a too large one names it', async (t) => {
  const withClaim = (length: number) => {
    const { oAuthTokenConfig } = exampleElements(exampleIssuer, {
      tokenConfig: { claims: { text: 'x'.repeat(length) } },
    })
    return elementsFileOf(t, { ...testElements(), ...(oAuthTokenConfig && { oAuthTokenConfig }) })
  }
  const { stack } = createTestStack(t, { elements: await withClaim(5_000) })
  const tiers = Object.values(resourcesOf(stack, 'AWS::SSM::Parameter')).map(({ Properties }) => Properties['Tier'])
  assert.equal(tiers.filter((tier) => tier === 'Advanced').length, 1)
  const elements = await withClaim(9_000)
  assert.throws(
    () => createTestStack(t, { elements }),
    /oAuthTokenConfig\/theTokenConfig has 9\d\d\d bytes, but a parameter can hold at most 8192\./,
  )
})

function parametersOf(stack: Stack): Record<string, unknown> {
  return Object.fromEntries(
    Object.values(resourcesOf(stack, 'AWS::SSM::Parameter')).map(({ Properties }) => {
      assert.equal(Properties['Type'], 'String')
      return [Properties['Name'], Properties['Value']]
    }),
  )
}

function pick<T, K extends keyof T>(from: T, name: K): Pick<T, K> {
  return { [name]: from[name] } as Pick<T, K>
}
