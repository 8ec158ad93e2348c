import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Stack } from 'aws-cdk-lib'
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager'
import { Bucket } from 'aws-cdk-lib/aws-s3'
import { createTestStack, everyProperty, resourceNamed, resourcesOf } from './test-stack.ts'

const id = 'TokensClientCertificates'

test('the API for client certificates is reached by its domain alone, which demands a certificate of the trust store', (t) => {
  const { stack } = createTestStack(t, withCertificates)
  const api = resourceNamed(stack, 'AWS::ApiGatewayV2::Api', `${id}Api`).Properties
  assert.equal(api['DisableExecuteApiEndpoint'], true)
  const domain = resourceNamed(stack, 'AWS::ApiGatewayV2::DomainName', `${id}DomainName`).Properties
  assert.deepEqual(domain['MutualTlsAuthentication'], {
    TruststoreUri: 's3://trust-stores/callers.pem',
    TruststoreVersion: 'v1',
  })
  const mappings = Object.values(resourcesOf(stack, 'AWS::ApiGatewayV2::ApiMapping'))
  assert.deepEqual(
    mappings.map(({ Properties }) => [Properties['ApiId'], Properties['DomainName']]),
    [[`${id}Api`, `${id}DomainName`]],
  )
  const first = resourceNamed(stack, 'AWS::ApiGatewayV2::Api', 'TokensHttpApi').Properties
  assert.equal(first['DisableExecuteApiEndpoint'], undefined)
})

test('its routes are those for callers, without an authorizer, and invoke the aliases _mtls; no other route does', (t) => {
  for (const publicDiscovery of [false, true])
    assertRoutes(createTestStack(t, (elsewhere) => ({ ...withCertificates(elsewhere), publicDiscovery })))
})

function assertRoutes({ stack }: ReturnType<typeof createTestStack>): void {
  const targets = Object.values(resourcesOf(stack, 'AWS::ApiGatewayV2::Route')).map(({ Properties }) => {
    const integration = String(Properties['Target']).replace(/^integrations\//, '')
    const { IntegrationUri } = resourceNamed(stack, 'AWS::ApiGatewayV2::Integration', integration).Properties
    return [Properties['ApiId'], Properties['RouteKey'], Properties['AuthorizationType'], IntegrationUri] as const
  })
  const [token, call] = [`${id}IssueTokenAlias`, `${id}CallApiAlias`]
  assert.deepEqual(
    targets.filter(([api]) => api === `${id}Api`).map(([, ...rest]) => rest),
    [
      ['POST /connections/{connection}/token', 'NONE', token],
      ['DELETE /connections/{connection}/token', 'NONE', token],
      ['GET /connections', 'NONE', token],
      ['GET /.well-known/oauth-authorization-server/connections/{connection}', 'NONE', token],
      ['GET /connections/{connection}/.well-known/openid-configuration', 'NONE', token],
      ['GET /connections/{connection}/.well-known/jwks.json', 'NONE', token],
      ['ANY /connections/{connection}/api/{path+}', 'NONE', call],
    ],
  )
  const aliases = Object.entries(resourcesOf(stack, 'AWS::Lambda::Alias'))
  const ofCertificates = aliases.filter(([, { Properties }]) => Properties['Name'] === '_mtls').map(([name]) => name)
  assert.deepEqual(ofCertificates.toSorted(), [call, token].toSorted())
  const others = targets.filter(([api]) => api !== `${id}Api`)
  assert.ok(others.length > 0 && others.every(([, , , target]) => !ofCertificates.includes(String(target))))
}

test('only this API may invoke the aliases _mtls', (t) => {
  const { stack } = createTestStack(t, withCertificates)
  const permissions = Object.values(resourcesOf(stack, 'AWS::Lambda::Permission')).map(({ Properties }) => Properties)
  const sources = permissions
    .filter(({ FunctionName }) => String(FunctionName).startsWith(id))
    .map(({ Principal, SourceArn }) => [Principal, String(SourceArn)] as const)
  assert.ok(sources.length > 0)
  for (const [principal, source] of sources) {
    assert.equal(principal, 'apigateway.amazonaws.com')
    assert.match(source, new RegExp(`:${id}Api/`))
  }
  const reachable = permissions.filter(({ SourceArn }) => String(SourceArn).includes(`:${id}Api/`))
  assert.ok(reachable.every(({ FunctionName }) => String(FunctionName).startsWith(id)))
})

test('without the property there is no alias _mtls and no second API', (t) => {
  const { stack, tokenwell } = createTestStack(t)
  assert.equal(tokenwell.certificateApi, undefined)
  assert.equal(Object.keys(resourcesOf(stack, 'AWS::ApiGatewayV2::Api')).length, 1)
  assert.doesNotMatch(JSON.stringify(resourcesOf(stack, 'AWS::Lambda::Alias')), /_mtls/)
})

test('its log, limits and names are its own, with every other property too', (t) => {
  const { stack } = createTestStack(t, (elsewhere) => ({ ...everyProperty(elsewhere), ...withCertificates(elsewhere) }))
  const { Properties } = resourceNamed(stack, 'AWS::ApiGatewayV2::Stage', `${id}Stage`)
  const { DestinationArn, Format } = Properties['AccessLogSettings'] as { DestinationArn: string; Format: string }
  assert.equal(DestinationArn, `${id}AccessLog.Arn`)
  assert.equal(JSON.parse(Format).certificateSubject, '$context.identity.clientCert.subjectDN')
  assert.deepEqual(Properties['DefaultRouteSettings'], { ThrottlingBurstLimit: 1000, ThrottlingRateLimit: 500 })
})

test('a domain name that is not a host name, or that of the first API, is an error', (t) => {
  assert.throws(
    () =>
      createTestStack(t, (elsewhere) => {
        const { clientCertificates } = withCertificates(elsewhere)
        return { publicUrl: undefined, clientCertificates, domain: clientCertificates.domain }
      }),
    /^Error: domain and clientCertificates have the same name certificates\.example\.com\./,
  )
  assert.throws(
    () =>
      createTestStack(t, (elsewhere) => {
        const { clientCertificates } = withCertificates(elsewhere)
        return { clientCertificates: { ...clientCertificates, domain: { ...clientCertificates.domain, name: 'Bad' } } }
      }),
    /^Error: clientCertificates: the name must be a host name/,
  )
})

function withCertificates(elsewhere: Stack) {
  const certificate = Certificate.fromCertificateArn(
    elsewhere,
    'Certificate',
    'arn:aws:acm:eu-central-1:111122223333:certificate/1',
  )
  const bucket = Bucket.fromBucketName(elsewhere, 'TrustStores', 'trust-stores')
  return {
    clientCertificates: {
      domain: { name: 'certificates.example.com', certificate },
      trustStore: { bucket, key: 'callers.pem', version: 'v1' },
    },
  }
}
