import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { bundleFunction } from '../../../infra/bundle.ts'
import { tokenExchange } from '../../../lib/configuration/grant-type.ts'
import { exampleElements, type RawElements } from '../../support/elements/elements.ts'
import {
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../../support/functions/issue-token-with-scripted-server.ts'
import { createHttpEvent, tokenRequest } from '../../support/functions/load-function.ts'
import { startAwsForLambda } from '../../support/lambda/aws-for-lambda.ts'
import { type LambdaInstance, startLambdaInstance } from '../../support/lambda/lambda-instance.ts'
import { allAnswers, startFleet, type Worker } from '../../support/process/fleet-of-processes.ts'
import { root } from '../../support/process/local-run.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'
import { AwsRefusal } from '../../support/servers/aws-refusal.ts'
import type { ReceivedRequest } from '../../support/servers/scripted-token-endpoint.ts'
import { startStageIdentity } from '../../support/servers/stage-identity.ts'

/* The built function with AWS's identity: STS is a strict double, and the servers get what they document. */

const folder = await temporaryFolder({ after })
const issueToken = await bundleFunction('issue-token', folder)

/** Whose examples in lib/configuration/keyless.md have AWS's identity, with the parameters of the documented request. */
interface Documented {
  readonly audience: string
  readonly algorithm: 'RS256' | 'ES384'
  readonly lifetimeSeconds: number
  /** With `a JWT` where AWS's JWT is. */
  readonly parameters: Readonly<Record<string, string>>
  readonly contentType: string
}

const form = 'application/x-www-form-urlencoded'
const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const clientAssertion = { client_assertion_type: assertionType, client_assertion: 'a JWT' }
const jwtType = 'urn:ietf:params:oauth:token-type:jwt'

const documented: Readonly<Record<string, Documented>> = {
  // https://learn.microsoft.com/en-us/entra/agent-id/integrate-aws-agent
  'Microsoft Entra': {
    audience: 'api://AzureADTokenExchange',
    algorithm: 'RS256',
    lifetimeSeconds: 300,
    contentType: form,
    parameters: {
      grant_type: 'client_credentials',
      client_id: 'my-client-id',
      scope: 'https://graph.microsoft.com/.default',
      ...clientAssertion,
    },
  },
  // https://docs.databricks.com/aws/en/dev-tools/auth/oauth-federation-exchange
  "Databricks with AWS's identity": {
    audience: 'my-databricks-account-id',
    algorithm: 'RS256',
    lifetimeSeconds: 3300,
    contentType: form,
    parameters: {
      grant_type: tokenExchange,
      client_id: 'my-service-principal-id',
      subject_token: 'a JWT',
      subject_token_type: jwtType,
      scope: 'all-apis',
    },
  },
  // https://developers.openai.com/api/reference/workload-identity-federation
  OpenAI: {
    audience: 'https://api.openai.com/v1',
    algorithm: 'ES384',
    lifetimeSeconds: 300,
    contentType: 'application/json',
    parameters: {
      grant_type: tokenExchange,
      subject_token: 'a JWT',
      subject_token_type: jwtType,
      identity_provider_id: 'my-identity-provider-id',
      service_account_id: 'my-service-account-id',
    },
  },
  // Shown with the server itself in test/authorization-servers/keycloak.test.ts.
  "Keycloak with AWS's identity": {
    audience: 'https://keycloak.example.com/realms/my-realm',
    algorithm: 'ES384',
    lifetimeSeconds: 300,
    contentType: form,
    parameters: { grant_type: 'client_credentials', client_id: 'my-client', ...clientAssertion },
  },
}

const page = readFileSync(join(root, 'lib', 'configuration', 'keyless.md'), 'utf8')

/** The elements below that heading. */
function exampleOf(heading: string): RawElements {
  const [, section = ''] = page.split(`\n## ${heading}\n`)
  const [, block] = /<!-- run: elements -->\n```json\n([\s\S]*?)```/.exec(section) ?? []
  assert(block, heading)
  return JSON.parse(block)
}

/** With its token endpoint at this server. */
function exampleAt(issuer: string, heading: string): RawElements {
  const elements = exampleOf(heading)
  const servers = Object.entries(elements['authorizationServer'] ?? {}).map(([id, server]) => [
    id,
    { ...server, tokenEndpoint: `${issuer}/token` },
  ])
  const { ssl, keyStore } = exampleElements(issuer)
  return { ...elements, authorizationServer: Object.fromEntries(servers), ...{ ssl, keyStore } } as RawElements
}

async function ask(instance: LambdaInstance, connection: string) {
  const { answer } = await instance.invoke(createHttpEvent(tokenRequest(connection)))
  const { statusCode, body } = answer as APIGatewayProxyStructuredResultV2
  return { status: statusCode, body: JSON.parse(body ?? '{}') as Readonly<Record<string, unknown>> }
}

for (const [heading, { audience, algorithm, lifetimeSeconds, parameters, contentType }] of Object.entries(documented))
  test(`${heading} gets the documented request with AWS's JWT`, async (t) => {
    const aws = await startAwsForLambda(t)
    if (!aws) return
    const identity = await startStageIdentity(t, { audiences: [audience] })
    const set = await startIssueTokenWithScriptedServer(
      t,
      (issuer) => exampleAt(issuer, heading),
      () => tokenAnswer(),
    )
    const environment = { ...(await aws.move(set.workspace)), ...identity.environment }
    const instance = await startLambdaInstance(t, issueToken, environment)
    const [connection = ''] = Object.keys(exampleOf(heading)['endpointConnection'] ?? {})
    const { status, body } = await ask(instance, connection)
    assert.equal(status, 200, `${JSON.stringify(body)} ${instance.output()}`)

    const [request = assert.fail('no request')] = set.requests
    assert.equal(String(request.headers['content-type']).split(';')[0], contentType)
    const sent = parametersOf(request, contentType)
    const [jwt = ''] = Object.values(sent).filter((value) => value.startsWith('eyJ'))
    const shown = Object.entries(sent).map(([name, value]) => [name, value === jwt ? 'a JWT' : value])
    assert.deepEqual(Object.fromEntries(shown), parameters)
    const keys = createLocalJWKSet((await identity.sts.issuer.keySet()) as never)
    const { payload } = await jwtVerify(jwt, keys, { audience, algorithms: [algorithm] })
    assert.equal(payload.sub, identity.roleArn)
    assert.equal(Number(payload.exp) - Number(payload.iat), lifetimeSeconds)
    assert.deepEqual(identity.sts.accepted, ['AssumeRole', 'GetWebIdentityToken'])
  })

function parametersOf({ form: sent, content }: ReceivedRequest, contentType: string): Record<string, string> {
  return contentType === form ? Object.fromEntries(sent) : (JSON.parse(content) as Record<string, string>)
}

const fleetSize = 16
const audience = 'https://as.example'

test(`${fleetSize} processes outlive an outage of STS: kept tokens are handed out, and new ones when STS is back`, async (t) => {
  const aws = await startAwsForLambda(t)
  if (!aws) return
  const identity = await startStageIdentity(t)
  const { sts } = identity
  const set = await startIssueTokenWithScriptedServer(t, elementsOf, () => tokenAnswer())
  const fleet = await startFleet(t, fleetSize, { ...(await aws.move(set.workspace)), ...identity.environment })
  assert.deepEqual(await failuresOf(fleet, 'before'), [])
  const signed = sts.accepted.filter((operation) => operation === 'GetWebIdentityToken').length
  // One JWT for each token request, and one session for each process.
  assert.equal(signed, set.requests.length)
  assert(sts.accepted.length - signed <= fleetSize)

  sts.fail('GetWebIdentityToken', new AwsRefusal('ServiceUnavailable', 'try later', 503))
  sts.fail('AssumeRole', new AwsRefusal('ServiceUnavailable', 'try later', 503))
  const requests = set.requests.length
  assert.deepEqual(await failuresOf(fleet, 'before'), [])
  const failures = await failuresOf(fleet, 'during')
  assert.equal(failures.length, fleetSize, failures.join())
  assert.equal(set.requests.length, requests)

  sts.work()
  assert.deepEqual(await failuresOf(fleet, 'after'), [])
  const jwtIds = set.requests.map(({ jwtId }) => jwtId)
  assert.equal(new Set(jwtIds).size, jwtIds.length)
})

function elementsOf(issuer: string): RawElements {
  const { jwtBuilder: _, ...elements } = exampleElements(issuer, {
    tokenConfig: { tokenGeneratorRef: 'theIdentity', tokenSubject: undefined },
    server: { issuer: undefined },
    oAuth: { clientId: 'theClient' },
  })
  return { ...elements, awsWebIdentity: { theIdentity: { audience } } }
}

/** What each process answers to a request of its own. */
async function failuresOf(fleet: readonly Worker[], round: string): Promise<string[]> {
  const event = (index: number) => ({ connection: 'conn', audience: `${round}, process ${index}` })
  const reports = await Promise.all(fleet.map((worker, index) => worker.call({ callers: 1, event: event(index) })))
  return allAnswers(reports).flatMap(({ error, description }) =>
    error === undefined ? [] : [`${error}: ${description}`],
  )
}
