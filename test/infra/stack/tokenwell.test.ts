import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { CfnParameter, Stack } from 'aws-cdk-lib'
import { Port } from 'aws-cdk-lib/aws-ec2'
import { AccountPrincipal, Role } from 'aws-cdk-lib/aws-iam'
import { createHandler } from '../../../functions/call-api/handler.ts'
import { createLocalContext } from '../../../infra/local/http-gateway.ts'
import { subjectSegment } from '../../../lib/configuration/subject.ts'
import { elementsFileOf, exampleIssuer } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { createHttpEvent } from '../../support/functions/load-function.ts'
import {
  createTestStack,
  everyProperty,
  functionsOf,
  requestsOfToken,
  resourceOf,
  resourcesOf,
  theUrl,
} from './test-stack.ts'

const api = 'arn:aws:execute-api:eu-central-1:111122223333:TokensHttpApi'

test('grantToken allows the token of one connection and nothing else', (t) => {
  const { stack, tokenwell } = createTestStack(t)
  tokenwell.grantToken(someRole(stack), 'orders')
  const Resource = requestsOfToken('orders').map((request) => `${api}/$default/${request}`)
  assert.deepEqual(statementsOfCaller(stack), [{ Action: 'execute-api:Invoke', Effect: 'Allow', Resource }])
})

test('where the public URL has a path, grantToken also allows the description at that path', (t) => {
  const { stack, tokenwell } = createTestStack(t, { publicUrl: 'https://tokens.example.com/a/b' })
  tokenwell.grantToken(someRole(stack), 'orders')
  const [{ Resource = [] } = {}] = statementsOfCaller(stack) as { Resource?: string[] }[]
  const added = 'GET/.well-known/oauth-authorization-server/a/b/connections/orders'
  assert.ok(Resource.includes(`${api}/$default/${added}`))
  assert.equal(Resource.length, 5)
})

test('grantToken for a subject allows the tokens for that user alone, and for * those for each user of the connection', (t) => {
  const routes = { alice: 'as/alice', 'Zoë*/?': `as/~${Buffer.from('Zoë*/?').toString('base64url')}`, '*': 'as/*' }
  for (const [subject, route] of Object.entries(routes)) {
    const { stack, tokenwell } = createTestStack(t)
    tokenwell.grantToken(someRole(stack), 'orders', { subject })
    const [statement, ...more] = statementsOfCaller(stack) as { Resource: string }[]
    assert.equal(statement?.Resource, `${api}/$default/POST/connections/orders/${route}/token`)
    assert.deepEqual(more, [])
    const granted = (request: string) => asPattern(statement.Resource).test(`${api}/$default/${request}`)
    assert.equal(granted(`POST/connections/orders/as/${subjectSegment(subject === '*' ? 'eve' : subject)}/token`), true)
    assert.equal(granted('POST/connections/orders/as/bob/token'), subject === '*')
    for (const other of ['POST/connections/orders/token', 'POST/connections/other/as/alice/token', 'GET/connections'])
      assert.equal(granted(other), false, other)
  }
})

test('a text that cannot be a user is not granted', (t) => {
  const { stack, tokenwell } = createTestStack(t)
  const late = new CfnParameter(stack, 'Late').valueAsString
  for (const subject of ['', 'a\nb', 'x'.repeat(257), late])
    assert.throws(
      () => tokenwell.grantToken(someRole(new Stack()), 'orders', { subject }),
      /^Error: subject must be the name/,
    )
})

test('grantCall allows the API of one connection with every method that call-api accepts', async (t) => {
  const granted = grantedCalls(t, 'orders')
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT']) {
    const path = '/connections/orders/api/v1/items/7'
    assert.equal(granted(`${method}${path}`), await isTaken(method, path), method)
  }
  assert.ok(granted('GET/connections/orders/api/x/connections/other/api/y'), 'whatever the path is below it')
})

test('a granted role can make no request for another connection, and no other request for its own', (t) => {
  const granted = grantedCalls(t, 'orders')
  for (const request of [
    // Each path ends like a request for the API of the granted connection.
    'GET/connections/other/api/connections/orders/api/x',
    'POST/connections/other/api/GET/connections/orders/api/x',
    'GET/connections/other/api//$default/GET/connections/orders/api/x',
    'GET/connections/other/api/x',
    'GET/connections/orders2/api/x',
    'GET/connections/my-orders/api/x',
    'POST/connections/orders/token',
    'POST/connections/orders/as/alice/token',
    'DELETE/connections/orders/token',
    'GET/connections',
  ])
    assert.equal(granted(request), false, request)
})

test("a text that cannot be a connection's name is not granted: a wildcard would grant all connections", (t) => {
  const { stack, tokenwell } = createTestStack(t)
  const caller = someRole(stack)
  for (const name of ['*', '', 'a/b', 'a?', '../x'])
    for (const grant of ['grantToken', 'grantCall'] as const)
      assert.throws(() => tokenwell[grant](caller, name), /cannot be the name of a connection/)
})

test('a connection that is not among the deployed elements is not granted, and the error names the one that was meant', async (t) => {
  const connection = { authenticationConfigRef: 'theConfig' }
  const path = await elementsFileOf(t, {
    ...exampleElements(exampleIssuer),
    keyStore: { theTrust: { location: 'tokenwell/test/authorization-server-ca' } },
    endpointConnection: { orders: connection, returns: connection },
  })
  const { stack, tokenwell } = createTestStack(t, { elements: path })
  const caller = someRole(stack)
  for (const grant of ['grantToken', 'grantCall'] as const) {
    tokenwell[grant](caller, 'orders')
    const refused = (name: string, message: string) => assert.throws(() => tokenwell[grant](caller, name), { message })
    refused('order', 'The elements have no connection order. Did you mean orders?')
    refused('Orders', 'The elements have no connection Orders. Did you mean orders?')
    refused('invoices', 'The elements have no connection invoices. The connections are orders, returns.')
  }
})

test('with a JWT authorizer grants are an error', (t) => {
  const { stack, tokenwell } = createTestStack(t, everyProperty)
  const caller = someRole(stack)
  for (const grant of ['grantToken', 'grantCall'] as const)
    assert.throws(
      () => tokenwell[grant](caller, 'orders'),
      /The claim in the JWT decides which connections a caller may use/,
    )
})

test('grantEvents allows events on the bus of this stage', (t) => {
  const { stack, tokenwell } = createTestStack(t)
  tokenwell.grantEvents(someRole(stack))
  assert.deepEqual(statementsOfCaller(stack), [
    { Action: 'events:PutEvents', Effect: 'Allow', Resource: 'TokensEvents.Arn' },
  ])
})

test('invalid names and addresses fail before anything is deployed', (t) => {
  const late = new CfnParameter(new Stack(), 'Late').valueAsString
  for (const stage of ['', 'a/b', 'a*', 'x'.repeat(33), late])
    assert.throws(() => createTestStack(t, { stage }), /^Error: stage must be a name/)
  for (const publicUrl of ['', 'tokens.example', 'http://tokens.example', 'https://', late])
    assert.throws(() => createTestStack(t, { publicUrl }), /^Error: publicUrl must be the https:\/\/ address/)
  for (const valkeyUrl of ['', 'cache.example:6379', 'https://cache.example'])
    assert.throws(() => createTestStack(t, { cache: { valkeyUrl } }), /^Error: valkeyUrl must be valkeys:/)
})

test('unknown functions and numbers that cannot be reserved are errors', (t) => {
  const refused = (props: object, message: RegExp) => assert.throws(() => createTestStack(t, props), message)
  refused(
    { memoryMegabytes: { issueToken: 1024 } },
    /^Error: memoryMegabytes: the function "issueToken" does not exist\. The functions are/,
  )
  refused(
    { throttleByFunction: { publishKeys: {} } },
    /^Error: throttleByFunction: the function "publishKeys" does not exist/,
  )
  refused({ reservedConcurrency: { callApi: 1 } }, /^Error: reservedConcurrency: the function "callApi" does not exist/)
  for (const reserved of [0, -1, 1.5, Number.NaN])
    refused({ reservedConcurrency: { 'call-api': reserved } }, /of call-api must be an integer of at least 1\./)
  refused({ reservedConcurrency: { 'refresh-token': 9 } }, /of refresh-token must be an integer of at least 10\./)
})

test('one stack can contain two stages', async (t) => {
  const { Tokenwell } = await import('../../../infra/stack/tokenwell.ts')
  const { stack } = createTestStack(t)
  new Tokenwell(stack, 'Others', { stage: 'other', publicUrl: theUrl })
  assert.equal(Object.keys(functionsOf(stack)).length, 12)
})

test('with Valkey there is no table, and the functions may connect only to Valkey and HTTPS', (t) => {
  const { stack, tokenwell } = createTestStack(t, everyProperty)
  assert.deepEqual(resourcesOf(stack, 'AWS::DynamoDB::Table'), {})
  const { Properties } = resourceOf(stack, 'AWS::EC2::SecurityGroup')
  const ports = (Properties['SecurityGroupEgress'] as { FromPort: number; ToPort: number; CidrIp: string }[]).map(
    ({ FromPort, ToPort, CidrIp }) => [FromPort, ToPort, CidrIp],
  )
  assert.deepEqual(ports, [
    [443, 443, '0.0.0.0/0'],
    [6380, 6380, 'Elsewhere:ExportsOutputFnGetAttVpcCidrBlock'],
  ])
  assert.equal(Properties['SecurityGroupIngress'], undefined)
  for (const { Properties } of Object.values(functionsOf(stack))) {
    const place = Properties['VpcConfig'] as Record<string, string[]>
    assert.deepEqual(place['SecurityGroupIds'], ['TokensSecurityGroup.GroupId'])
    assert.equal(place['SubnetIds']?.length, 2)
    assert.match(place['SubnetIds']?.join() ?? '', /^(Elsewhere:ExportsOutputRefVpcPrivateSubnet\d\w*,?)+$/)
  }
  assert.deepEqual(
    tokenwell.connections.securityGroups.map(({ node }) => node.path),
    ['Test/Tokens/SecurityGroup'],
  )
})

test('one line of the operator allows the functions to reach another server', (t) => {
  const { stack, tokenwell } = createTestStack(t, everyProperty)
  tokenwell.connections.allowToAnyIpv4(Port.tcp(8443))
  const { Properties } = resourceOf(stack, 'AWS::EC2::SecurityGroup')
  const ports = (Properties['SecurityGroupEgress'] as { FromPort: number }[]).map(({ FromPort }) => FromPort)
  assert.deepEqual(ports, [443, 6380, 8443])
})

test('memory is set for each function', (t) => {
  const { stack } = createTestStack(t, {
    memoryMegabytes: { 'issue-token': 1024, 'call-api': 2048, 'refresh-token': 256 },
  })
  const functions = Object.entries(functionsOf(stack))
  assert.deepEqual(Object.fromEntries(functions.map(([id, { Properties }]) => [id, Properties['MemorySize']])), {
    TokensIssueTokenFunction: 1024,
    TokensCallApiFunction: 2048,
    TokensWarmTokensFunction: 512,
    TokensRefreshTokenFunction: 256,
    TokensPublishKeysFunction: 512,
    TokensRotateKeyFunction: 512,
  })
})

/** Whether a caller with grantCall for the connection may make this request. */
function grantedCalls(t: TestContext, connection: string): (request: string) => boolean {
  const { stack, tokenwell } = createTestStack(t)
  tokenwell.grantCall(someRole(stack), connection)
  const [statement, ...more] = statementsOfCaller(stack) as { Action: string; Effect: string; Resource: string[] }[]
  assert.deepEqual([statement?.Action, statement?.Effect, more], ['execute-api:Invoke', 'Allow', []])
  const patterns = statement?.Resource.map(asPattern) ?? []
  return (request) => patterns.some((pattern) => pattern.test(`${api}/$default/${request}`))
}

/** Matches like IAM: in a resource `*` is any text and `?` any character, including slashes. */
function asPattern(resource: string): RegExp {
  const plain = resource.replace(/[.+^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${plain.replaceAll('*', '.*').replaceAll('?', '.')}$`, 's')
}

/** Whether call-api would call the API for this request. */
async function isTaken(method: string, path: string): Promise<boolean> {
  let calls = 0
  const application = {
    async demandCertificateSubject() {},
    async callApi() {
      calls++
      return { status: 200, headers: {}, body: new Uint8Array() }
    },
  }
  const handler = createHandler({
    ...{ application, deployment: { isLambda: true }, earlierRecords: 'none', now: Date.now },
    log() {},
  })
  await handler(createHttpEvent({ method, path }), createLocalContext(Date.now()))
  return calls > 0
}

function someRole(stack: Stack): Role {
  return new Role(stack, 'Caller', { assumedBy: new AccountPrincipal('111122223333') })
}

function statementsOfCaller(stack: Stack): unknown[] {
  const policies = Object.values(resourcesOf(stack, 'AWS::IAM::Policy')).map(({ Properties }) => Properties)
  const own = policies.filter(({ Roles }) => JSON.stringify(Roles) === '["Caller"]')
  return own.flatMap(({ PolicyDocument }) => (PolicyDocument as { Statement: unknown[] }).Statement)
}
