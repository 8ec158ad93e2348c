import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { functionNames } from '../../../infra/bundle.ts'
import { constructIdOf, functionIds, functionTable } from '../../../infra/stack/function-table.ts'
import { root } from '../../support/process/local-run.ts'
import { createTestStack, functionsOf, resourceNamed, resourceOf, resourcesOf } from './test-stack.ts'

const rows = functionIds.map((id) => ({ id: constructIdOf(id), ...functionTable[id] }))

test('the rows of the table are the folders of functions, except the function that only deployments use', () => {
  const names = ['put-elements', ...rows.map(({ name }) => name)]
  assert.deepEqual(names.toSorted(), functionNames.toSorted())
})

test('the functions of the stack are the rows of the table, with description, time and memory', (t) => {
  const { stack } = createTestStack(t)
  for (const { id, description, timeoutSeconds, memoryMegabytes } of rows) {
    const { Properties } = resourceNamed(stack, 'AWS::Lambda::Function', `Tokens${id}Function`)
    const { Description, Timeout, MemorySize } = Properties
    assert.deepEqual([Description, Timeout, MemorySize], [description('test'), timeoutSeconds, memoryMegabytes])
  }
  assert.equal(Object.keys(functionsOf(stack)).length, rows.length)
})

test('no function reserves concurrency, which a new account does not have, unless the operator sets it', (t) => {
  const reserved = (props: Parameters<typeof createTestStack>[1]) => {
    const { stack } = createTestStack(t, props)
    const functions = Object.entries(resourcesOf(stack, 'AWS::Lambda::Function'))
    return functions.flatMap(([id, { Properties }]) => {
      const { ReservedConcurrentExecutions: reserved } = Properties
      return reserved === undefined ? [] : [[id, reserved]]
    })
  }
  assert.deepEqual(reserved({}), [])
  assert.deepEqual(reserved({ reservedConcurrency: { 'call-api': 400, 'publish-keys': 1 } }), [
    ['TokensCallApiFunction', 400],
    ['TokensPublishKeysFunction', 1],
  ])
})

test('the API has the routes of the rows, and only routes with a reason are public', (t) => {
  const { stack } = createTestStack(t)
  const found = Object.values(resourcesOf(stack, 'AWS::ApiGatewayV2::Route')).map(({ Properties }) => [
    Properties['RouteKey'],
    Properties['AuthorizationType'] === 'NONE',
  ])
  const expected = rows.flatMap(({ routes }) =>
    routes.flatMap((route) => route.methods.map((method) => [`${method} ${route.path}`, 'whyPublic' in route])),
  )
  assert.deepEqual(found, expected)
})

test('each row has one graph and two alarms', (t) => {
  const { stack } = createTestStack(t)
  const body = String(resourceOf(stack, 'AWS::CloudWatch::Dashboard').Properties['DashboardBody'])
  const { widgets } = JSON.parse(body) as { widgets: { properties: { title: string } }[] }
  const titles = widgets.map(({ properties }) => properties.title)
  const alarms = Object.keys(resourcesOf(stack, 'AWS::CloudWatch::Alarm'))
  for (const { id, name } of rows) {
    assert.equal(titles.filter((title) => title === name).length, 1, name)
    for (const what of ['Errors', 'Throttles']) assert.ok(alarms.includes(`TokensAlarms${id}${what}`), id)
  }
})

test('the table loads no code of the CDK, because the local run reads it too', async () => {
  const script = `
    import { createRequire } from 'node:module'
    await import('./infra/stack/function-table.ts')
    const loaded = Object.keys(createRequire(import.meta.url).cache)
    console.log(loaded.filter((path) => path.includes('aws-cdk-lib')).length)`
  const words = ['--input-type=module', '--eval', script]
  const { stdout } = await promisify(execFile)(process.execPath, words, { cwd: root })
  assert.equal(stdout, '0\n')
})
