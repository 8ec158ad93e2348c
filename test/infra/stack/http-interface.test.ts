import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { type FunctionRow, functionTable } from '../../../infra/stack/function-table.ts'
import { createTestStack, everyProperty, resourceNamed, resourceOf, resourcesOf } from './test-stack.ts'

const routes = [
  ['POST /connections/{connection}/token', 'IssueToken'],
  ['DELETE /connections/{connection}/token', 'IssueToken'],
  ['POST /connections/{connection}/as/{subject}/token', 'IssueToken'],
  ['GET /connections', 'IssueToken'],
  ['GET /.well-known/oauth-authorization-server/connections/{connection}', 'IssueToken'],
  ['GET /connections/{connection}/.well-known/openid-configuration', 'IssueToken'],
  ['GET /connections/{connection}/.well-known/jwks.json', 'IssueToken'],
  ['ANY /connections/{connection}/api/{path+}', 'CallApi'],
] as const
const descriptions = routes.map(([route]) => route).filter((route) => route.includes('/.well-known/'))
const callRoute = 'ANY /connections/{connection}/api/{path+}'
const publicRoute = 'GET /jwt/{jwtBuilder}/jwk'

test('every route except the public keys needs an IAM signature', (t) => {
  assert.deepEqual(authorizations(createTestStack(t).stack), [
    ...routes.map(([route]) => [route, 'AWS_IAM', undefined]),
    [publicRoute, 'NONE', undefined],
  ])
})

test('with a JWT authorizer every route except the public keys requires a JWT of its issuer and audience', (t) => {
  const { stack } = createTestStack(t, everyProperty)
  assert.deepEqual(authorizations(stack), [
    ...routes.map(([route]) => [route, 'JWT', 'TokensHttpApiJwt']),
    [publicRoute, 'NONE', undefined],
  ])
  const { Properties } = resourceOf(stack, 'AWS::ApiGatewayV2::Authorizer')
  assert.equal(Properties['AuthorizerType'], 'JWT')
  assert.deepEqual(Properties['IdentitySource'], ['$request.header.Authorization'])
  assert.deepEqual(Properties['JwtConfiguration'], { Audience: ['tokenwell'], Issuer: 'https://issuer.example' })
})

test('each route invokes its function with payload format 2.0 and a time-out below 30 s, with each authorizer', (t) => {
  for (const props of [{}, everyProperty]) {
    const { stack } = createTestStack(t, props)
    const found = Object.values(resourcesOf(stack, 'AWS::ApiGatewayV2::Route')).map(({ Properties }) => {
      const integration = String(Properties['Target']).replace(/^integrations\//, '')
      const { IntegrationType, IntegrationUri, PayloadFormatVersion, TimeoutInMillis } = resourceNamed(
        stack,
        'AWS::ApiGatewayV2::Integration',
        integration,
      ).Properties
      return [Properties['RouteKey'], IntegrationUri, IntegrationType, PayloadFormatVersion, TimeoutInMillis]
    })
    assert.deepEqual(found, [
      ...routes.map(([route, id]) => [route, `Tokens${id}Live`, 'AWS_PROXY', '2.0', 29_000]),
      [publicRoute, 'TokensPublishKeysLive', 'AWS_PROXY', '2.0', 29_000],
    ])
  }
})

test("the API is throttled with the operator's limits, or by default", (t) => {
  const settings = (stack: Stack) => resourceOf(stack, 'AWS::ApiGatewayV2::Stage').Properties['DefaultRouteSettings']
  assert.deepEqual(settings(createTestStack(t).stack), { ThrottlingBurstLimit: 1000, ThrottlingRateLimit: 500 })
  assert.deepEqual(settings(createTestStack(t, { throttle: { requestsPerSecond: 5, burst: 7 } }).stack), {
    ThrottlingBurstLimit: 7,
    ThrottlingRateLimit: 5,
  })
})

test('public routes and call-api have a lower throttle than the rest, and each route of a function has the one that the operator sets', (t) => {
  const settings = (props: Parameters<typeof createTestStack>[1]) =>
    resourceOf(createTestStack(t, props).stack, 'AWS::ApiGatewayV2::Stage').Properties['RouteSettings']
  const at = (requestsPerSecond: number, burst: number) => ({
    ThrottlingRateLimit: requestsPerSecond,
    ThrottlingBurstLimit: burst,
  })
  assert.deepEqual(settings({}), { [callRoute]: at(30, 60), [publicRoute]: at(20, 40) })
  const byOperator = settings({ throttle: { requestsPerSecond: 25, burst: 8 } })
  assert.deepEqual(byOperator, { [callRoute]: at(25, 8), [publicRoute]: at(20, 8) })
  const [low, high] = [
    { requestsPerSecond: 7, burst: 9 },
    { requestsPerSecond: 70, burst: 90 },
  ]
  assert.deepEqual(settings({ throttleByFunction: { 'issue-token': low, 'publish-keys': high } }), {
    ...Object.fromEntries(routes.filter(([, id]) => id === 'IssueToken').map(([route]) => [route, at(7, 9)])),
    [callRoute]: at(30, 60),
    [publicRoute]: at(70, 90),
  })
})

test('a reservation takes the place of the lower throttle of call-api, but not of a public route', (t) => {
  const { stack } = createTestStack(t, { reservedConcurrency: { 'call-api': 400, 'publish-keys': 50 } })
  const { RouteSettings } = resourceOf(stack, 'AWS::ApiGatewayV2::Stage').Properties
  assert.deepEqual(Object.keys(RouteSettings as object), [publicRoute])
})

test('every public route has a throttle of its own', () => {
  const rows: readonly FunctionRow[] = Object.values(functionTable)
  const publicRoutes = rows.flatMap(({ routes: own }) => own).filter(({ whyPublic }) => whyPublic !== undefined)
  assert.ok(publicRoutes.length > 0)
  for (const { path, throttle } of publicRoutes) assert.ok(throttle, path)
})

test('with publicDiscovery, publish-keys describes connections to everybody, with the throttle of public routes, and nothing else changes', (t) => {
  const { stack } = createTestStack(t, { publicDiscovery: true })
  const [guarded, open] = [
    routes.map(([route]) => route).filter((route) => !descriptions.includes(route)),
    [publicRoute, ...descriptions],
  ]
  assert.equal(descriptions.length, 3)
  assert.deepEqual(authorizations(stack), [
    ...guarded.map((route) => [route, 'AWS_IAM', undefined]),
    ...open.map((route) => [route, 'NONE', undefined]),
  ])
  for (const { Properties } of Object.values(resourcesOf(stack, 'AWS::ApiGatewayV2::Route'))) {
    if (!open.includes(String(Properties['RouteKey']))) continue
    const integration = String(Properties['Target']).replace(/^integrations\//, '')
    const { IntegrationUri } = resourceNamed(stack, 'AWS::ApiGatewayV2::Integration', integration).Properties
    assert.equal(IntegrationUri, 'TokensPublishKeysLive')
  }
  const { RouteSettings } = resourceOf(stack, 'AWS::ApiGatewayV2::Stage').Properties
  const publicThrottle = { ThrottlingRateLimit: 20, ThrottlingBurstLimit: 40 }
  assert.deepEqual(RouteSettings, {
    [callRoute]: { ThrottlingRateLimit: 30, ThrottlingBurstLimit: 60 },
    ...Object.fromEntries(open.map((route) => [route, publicThrottle])),
  })
})

test('a public URL with a path adds the path to the route that clients ask by RFC 8414', (t) => {
  const added = 'GET /.well-known/oauth-authorization-server/base/connections/{connection}'
  for (const publicDiscovery of [false, true]) {
    const { stack } = createTestStack(t, { publicUrl: 'https://tokens.example.com/base', publicDiscovery })
    const types = Object.values(resourcesOf(stack, 'AWS::ApiGatewayV2::Route')).map(({ Properties }) => {
      return [Properties['RouteKey'], Properties['AuthorizationType']] as const
    })
    for (const route of [added, ...descriptions])
      assert.equal(new Map(types).get(route), publicDiscovery ? 'NONE' : 'AWS_IAM', route)
  }
})

test('the stage is created after all routes, because API Gateway rejects settings of a missing route', (t) => {
  const { stack } = createTestStack(t)
  const { DependsOn = [] } = resourceOf(stack, 'AWS::ApiGatewayV2::Stage')
  const made = Object.keys(Template.fromStack(stack).findResources('AWS::ApiGatewayV2::Route'))
  for (const route of made) assert.ok(DependsOn.includes(route), route)
})

test('who called what is written to a log of its own, without path and query, which may name a user and a token', (t) => {
  const { AccessLogSettings } = resourceOf(createTestStack(t).stack, 'AWS::ApiGatewayV2::Stage').Properties
  const { DestinationArn, Format } = AccessLogSettings as { DestinationArn: string; Format: string }
  assert.equal(DestinationArn, 'TokensHttpAccessLog.Arn')
  assert.doesNotMatch(Format, /query|path/i)
  const { requestId, caller, subject, route, status } = JSON.parse(Format)
  assert.deepEqual(
    [requestId, caller, subject, route, status],
    [
      '$context.requestId',
      '$context.identity.userArn',
      '$context.authorizer.claims.sub',
      '$context.routeKey',
      '$context.status',
    ],
  )
})

test('the name of its log is one that API Gateway may use in accounts with many APIs, and is new for each stack', (t) => {
  const { stack } = createTestStack(t)
  const template = Template.fromStack(stack).findResources('AWS::Logs::LogGroup')
  const names = Object.values(template).map(({ Properties }) => Properties['LogGroupName'])
  const theId = { 'Fn::Select': [2, { 'Fn::Split': ['/', { Ref: 'AWS::StackId' }] }] }
  assert.deepEqual(
    names.filter((name) => name !== undefined),
    [{ 'Fn::Join': ['', ['/aws/vendedlogs/tokenwell-test/', theId]] }],
  )
})

function authorizations(stack: Stack): unknown[] {
  return Object.values(resourcesOf(stack, 'AWS::ApiGatewayV2::Route')).map(({ Properties }) => [
    Properties['RouteKey'],
    Properties['AuthorizationType'],
    Properties['AuthorizerId'],
  ])
}
