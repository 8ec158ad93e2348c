import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CfnParameter, type Stack } from 'aws-cdk-lib'
import { ApiMapping, DomainName } from 'aws-cdk-lib/aws-apigatewayv2'
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager'
import { HostedZone } from 'aws-cdk-lib/aws-route53'
import { elementsFileOf, exampleIssuer } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { createTestStack, resourceOf, resourcesOf, theUrl } from './test-stack.ts'

const name = 'tokens.example.com'
const certificateArn = 'arn:aws:acm:eu-central-1:111122223333:certificate/12345678'

test('a domain leads to the API, has its certificate, and is the public URL', (t) => {
  const { stack, tokenwell } = createTestStack(t, withDomain)
  assert.deepEqual(resourceOf(stack, 'AWS::ApiGatewayV2::DomainName').Properties, {
    DomainName: name,
    DomainNameConfigurations: [{ CertificateArn: certificateArn, EndpointType: 'REGIONAL', SecurityPolicy: 'TLS_1_2' }],
  })
  const { Properties, DependsOn } = resourceOf(stack, 'AWS::ApiGatewayV2::ApiMapping')
  assert.deepEqual(Properties, { ApiId: 'TokensHttpApi', DomainName: 'TokensHttpDomainName', Stage: '$default' })
  assert.ok(DependsOn?.some((id) => id.startsWith('TokensHttpStage')))
  assert.equal(tokenwell.publicUrl, `https://${name}`)
  assert.deepEqual(publicUrls(stack), new Set([`https://${name}`]))
  assert.deepEqual(resourcesOf(stack, 'AWS::Route53::RecordSet'), {})
})

test('in a hosted zone, the domain has its alias record', (t) => {
  const { stack } = createTestStack(t, (elsewhere) => {
    const hostedZone = HostedZone.fromHostedZoneAttributes(elsewhere, 'Zone', {
      hostedZoneId: 'Z1',
      zoneName: 'example.com',
    })
    return { publicUrl: undefined, domain: { ...domain(elsewhere), hostedZone } }
  })
  const { Name, Type, HostedZoneId, AliasTarget } = resourceOf(stack, 'AWS::Route53::RecordSet').Properties
  assert.deepEqual([Name, Type, HostedZoneId], [`${name}.`, 'A', 'Z1'])
  assert.deepEqual(AliasTarget, {
    DNSName: 'TokensHttpDomainName.RegionalDomainName',
    HostedZoneId: 'TokensHttpDomainName.RegionalHostedZoneId',
  })
})

test('without domain and public URL, the public URL is that of the API, also for the check of elements', async (t) => {
  const elements = await elementsFileOf(t, { ...exampleElements(exampleIssuer), ssl: {}, keyStore: {} })
  const { stack } = createTestStack(t, { publicUrl: undefined, elements })
  const url = 'TokensHttpApi.ApiEndpoint'
  assert.deepEqual(publicUrls(stack), new Set([url]))
})

test('a public URL that is not that of the domain is an error, and the same URL is accepted', (t) => {
  for (const publicUrl of ['https://other.example.com', `https://${name}/`, `https://${name}:443`])
    assert.throws(
      () => createTestStack(t, (elsewhere) => ({ publicUrl, domain: domain(elsewhere) })),
      new RegExp(`^Error: publicUrl is ${publicUrl}, but the domain has the URL https://tokens\\.example\\.com\\. `),
    )
  createTestStack(t, (elsewhere) => ({ publicUrl: `https://${name}`, domain: domain(elsewhere) }))
})

test('a name that is not a host name, or not in its zone, is an error', (t) => {
  for (const wrong of [
    '',
    'tokens',
    'https://tokens.example.com',
    'Tokens.example.com',
    'tokens.example.com/',
    '*.example.com',
  ])
    assert.throws(
      () =>
        createTestStack(t, (elsewhere) => ({ publicUrl: undefined, domain: { ...domain(elsewhere), name: wrong } })),
      /^Error: domain: the name must be a host name/,
      wrong,
    )
  for (const zoneName of ['example.org', 'ple.com', 'tokens.example.com.org'])
    assert.throws(
      () =>
        createTestStack(t, (elsewhere) => {
          const hostedZone = HostedZone.fromHostedZoneAttributes(elsewhere, 'Zone', { hostedZoneId: 'Z1', zoneName })
          return { publicUrl: undefined, domain: { ...domain(elsewhere), hostedZone } }
        }),
      new RegExp(`^Error: domain: the name tokens\\.example\\.com is not in the hosted zone ${zoneName}\\.`),
    )
  const late = (elsewhere: Stack) => new CfnParameter(elsewhere, 'Late').valueAsString
  assert.throws(
    () =>
      createTestStack(t, (elsewhere) => ({
        publicUrl: undefined,
        domain: { ...domain(elsewhere), name: late(elsewhere) },
      })),
    /must be known before/,
  )
})

test('an operator can map a domain of their own to the stage of the API', (t) => {
  const { stack, tokenwell } = createTestStack(t)
  const domainName = new DomainName(stack, 'Own', {
    domainName: 'own.example.com',
    certificate: domain(stack).certificate,
  })
  new ApiMapping(stack, 'Mapping', {
    api: tokenwell.http.api,
    stage: tokenwell.http.stage,
    domainName,
    apiMappingKey: 'tokens',
  })
  const { Properties } = resourceOf(stack, 'AWS::ApiGatewayV2::ApiMapping')
  assert.deepEqual([Properties['Stage'], Properties['ApiMappingKey']], ['$default', 'tokens'])
  assert.deepEqual(publicUrls(stack), new Set([theUrl]))
})

function withDomain(elsewhere: Stack) {
  return { publicUrl: undefined, domain: domain(elsewhere) }
}

function domain(stack: Stack) {
  return { name, certificate: Certificate.fromCertificateArn(stack, 'Certificate', certificateArn) }
}

/** What the functions of the stage have as their public URL. */
function publicUrls(stack: Stack): Set<unknown> {
  const functions = Object.values(resourcesOf(stack, 'AWS::Lambda::Function'))
  const variables = functions.map(
    ({ Properties }) => (Properties['Environment'] as { Variables?: Record<string, string> })?.Variables,
  )
  return new Set(variables.flatMap((each) => (each?.['TOKENWELL_STAGE'] ? [each['TOKENWELL_PUBLIC_URL']] : [])))
}
