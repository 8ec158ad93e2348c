import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type App, RemovalPolicy, type Stack } from 'aws-cdk-lib'
import { Annotations, Match } from 'aws-cdk-lib/assertions'
import { elementsFileOf, exampleIssuer } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'
import { createTestStack, type Resource, resourceOf, resourcesOf } from './test-stack.ts'

const testElements = () => ({
  ...exampleElements(exampleIssuer),
  keyStore: { theTrust: { location: 'tokenwell/test/authorization-server-ca' } },
})

test('the elements of a file go up as one file, and a custom resource writes them', async (t) => {
  const elements = testElements()
  const { app, stack } = createTestStack(t, { elements: await elementsFileOf(t, elements) })
  assert.deepEqual(uploaded(app, stack), elements)
  assert.deepEqual(resourcesOf(stack, 'AWS::SSM::Parameter'), {})
  const { bucket, key, ...properties } = written(stack).Properties
  assert.deepEqual(properties, {
    ServiceToken: 'TokensElementsPutElementsFunction.Arn',
    takesOverParameters: false,
    keepsParameters: false,
  })
  assert.ok(namesOf(written(stack)).includes('TokensElementsPutContinuation'), 'its rights')
})

test('each file of a folder is an element, except files that begin with a dot', async (t) => {
  const files = Object.entries(testElements()).flatMap(([kind, byId]) =>
    Object.entries(byId).map(([id, element]) => [`${kind}/${id}.json`, JSON.stringify(element, undefined, 2)]),
  )
  const hidden = { '.editor/settings.json': '{}', 'keyStore/.theTrust.json': '{' }
  const folder = await temporaryFolder(t, { ...Object.fromEntries(files), ...hidden })
  const { app, stack } = createTestStack(t, { elements: folder })
  assert.deepEqual(uploaded(app, stack), testElements())
})

test('the same elements are the same file, in whatever order they are written', async (t) => {
  const { stack } = createTestStack(t, { elements: await elementsFileOf(t, testElements()) })
  const reversed = Object.fromEntries(Object.entries(testElements()).reverse())
  const other = createTestStack(t, { elements: await elementsFileOf(t, reversed) })
  assert.equal(written(stack).Properties['key'], written(other.stack).Properties['key'])
})

test('without elements no function may write parameters, because they come from elsewhere', (t) => {
  const { stack } = createTestStack(t)
  assert.deepEqual(resourcesOf(stack, 'Custom::TokenwellElements'), {})
  assert.doesNotMatch(JSON.stringify(resourcesOf(stack, 'AWS::IAM::Policy')), /ssm:(Put|Delete)/)
})

test('only the function for deployments may write parameters, and only those of its stage', async (t) => {
  const { stack } = createTestStack(t, { elements: await elementsFileOf(t, testElements()) })
  const statements = Object.entries(resourcesOf(stack, 'AWS::IAM::Policy')).flatMap(([id, { Properties }]) =>
    (Properties['PolicyDocument'] as { Statement: { Action: string | string[]; Resource: unknown }[] }).Statement.map(
      ({ Action, Resource }) => ({ id, actions: [Action].flat().join(' '), resource: Resource }),
    ),
  )
  const parameters = 'arn:aws:ssm:eu-central-1:111122223333:parameter/tokenwell/test'
  assert.deepEqual(
    statements.filter(({ actions }) => /Put|Delete/.test(actions) && actions.startsWith('ssm:')),
    [
      {
        id: 'TokensElementsPutElementsRoleDefaultPolicy',
        actions: 'ssm:PutParameter ssm:DeleteParameters',
        resource: `${parameters}/*`,
      },
    ],
  )
  const own = statements.filter(({ id }) => id.startsWith('TokensElementsPut')).map(({ actions }) => actions)
  assert.deepEqual(own, [
    'ssm:GetParametersByPath',
    'ssm:PutParameter ssm:DeleteParameters',
    's3:GetObject',
    'events:PutEvents',
    'logs:CreateLogStream logs:PutLogEvents',
    'xray:PutTraceSegments xray:PutTelemetryRecords',
    'lambda:InvokeFunction',
  ])
  const [itself] = statements.filter(({ id }) => id === 'TokensElementsPutContinuation')
  assert.equal(itself?.resource, 'TokensElementsPutElementsFunction.Arn')
})

test('during the upgrade from 0.1 its parameters stay in the template as they were, but retained', async (t) => {
  const elements = await elementsFileOf(t, testElements())
  const { stack } = createTestStack(t, { elements, readRecordsOf: '0.1' })
  const parameters = Object.entries(resourcesOf(stack, 'AWS::SSM::Parameter'))
  assert.ok(parameters.length > 6)
  for (const [id, { Properties, DeletionPolicy, UpdateReplacePolicy }] of parameters) {
    const { Name, Value, Type, Tier } = Properties as Record<string, string>
    const [, kind = '', element = ''] = /^\/tokenwell\/test\/(\w+)\/(.+)$/.exec(Name ?? '') ?? []
    assert.equal(id, `TokensElements${kind}${element}`, 'the logical id of 0.1')
    assert.deepEqual(
      JSON.parse(Value ?? ''),
      (testElements() as Record<string, Record<string, unknown>>)[kind]?.[element],
    )
    assert.deepEqual([DeletionPolicy, UpdateReplacePolicy], ['RetainExceptOnCreate', 'Retain'])
    assert.deepEqual([Type, Tier], ['String', 'Intelligent-Tiering'])
    assert.ok(namesOf(written(stack)).includes(id), 'the custom resource finds them unchanged')
  }
  const { takesOverParameters, keepsParameters } = written(stack).Properties
  assert.deepEqual([takesOverParameters, keepsParameters], [true, true], 'a rollback of this step deletes nothing')
})

test('parameters that the operator takes over, or wants to keep, are not deleted with the stack', async (t) => {
  const elements = await elementsFileOf(t, testElements())
  const fate = (props: object) => {
    const { takesOverParameters, keepsParameters } = written(
      createTestStack(t, { elements, ...props }).stack,
    ).Properties
    return [takesOverParameters, keepsParameters]
  }
  assert.deepEqual(fate({ takeOverParameters: true }), [true, true])
  assert.deepEqual(fate({ removalPolicy: RemovalPolicy.RETAIN }), [false, true])
  assert.deepEqual(fate({ removalPolicy: RemovalPolicy.DESTROY }), [false, false])
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

test('an element that no parameter can hold, and too many elements, fail the synthesis', async (t) => {
  const withClaim = (length: number) => {
    const { oAuthTokenConfig } = exampleElements(exampleIssuer, {
      tokenConfig: { claims: { text: 'x'.repeat(length) } },
    })
    return elementsFileOf(t, { ...testElements(), ...(oAuthTokenConfig && { oAuthTokenConfig }) })
  }
  createTestStack(t, { elements: await withClaim(7_000) })
  const elements = await withClaim(9_000)
  assert.throws(
    () => createTestStack(t, { elements }),
    /oAuthTokenConfig\/theTokenConfig has 9\d\d\d bytes, but a parameter can hold at most 8192\./,
  )
  const proxies = Array.from({ length: 9_000 }, (_, index) => [`proxy${index}`, { host: 'proxy.example', port: 3128 }])
  const many = await elementsFileOf(t, { ...testElements(), proxyConfig: Object.fromEntries(proxies) })
  assert.throws(
    () => createTestStack(t, { elements: many }),
    /There are 90\d\d elements, but a deployment can write at most 9000\./,
  )
})

/** The file that the custom resource names, as it lies in the output folder. */
function uploaded(app: App, stack: Stack): unknown {
  const path = join(app.outdir, `asset.${written(stack).Properties['key']}`)
  return JSON.parse(readFileSync(path, 'utf8'))
}

function written(stack: Stack): Resource {
  return resourceOf(stack, 'Custom::TokenwellElements')
}

/** Logical ids without the digits of their hash. */
function namesOf({ DependsOn = [] }: Resource): string[] {
  return [DependsOn].flat().map((id) => id.replace(/[0-9A-F]{8}$/, ''))
}

function pick<T, K extends keyof T>(from: T, name: K): Pick<T, K> {
  return { [name]: from[name] } as Pick<T, K>
}
