import assert from 'node:assert/strict'
import { after, type TestContext, test } from 'node:test'
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import * as openid from 'openid-client'
import { bundleFunction } from '../../../infra/bundle.ts'
import { createHttpGateway } from '../../../infra/local/http-gateway.ts'
import { listen } from '../../../infra/local/listen.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { startIssueTokenWithOidcProvider } from '../../support/functions/issue-token-with-oidc-provider.ts'
import { linesOf, startAwsForLambda } from '../../support/lambda/aws-for-lambda.ts'
import { type LambdaInstance, startLambdaInstance } from '../../support/lambda/lambda-instance.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'

/* openid-client and the built functions as Lambda runs them. It knows the URL of a connection alone. */

const folder = await temporaryFolder({ after })
const [issueToken, publishKeys] = [
  await bundleFunction('issue-token', folder),
  await bundleFunction('publish-keys', folder),
]

/** Undefined if moto is not available. */
async function startBundles(t: TestContext) {
  const ground = await startAwsForLambda(t)
  if (!ground) return undefined
  const set = await startIssueTokenWithOidcProvider(t, exampleElements)
  const moved = await ground.move(set.workspace)
  const environment = {
    ...moved,
    TOKENWELL_PUBLIC_URL: 'http://127.0.0.1',
    TOKENWELL_CACHE_BUDGET_MILLISECONDS: '10000',
  }
  // Nothing that the public function could read of elements and secrets is there.
  const nothing = {
    AWS_ENDPOINT_URL_SSM: 'http://127.0.0.1:9',
    AWS_ENDPOINT_URL_SECRETS_MANAGER: 'http://127.0.0.1:9',
    AWS_ENDPOINT_URL_DYNAMODB: 'http://127.0.0.1:9',
  }
  return {
    issuing: await startLambdaInstance(t, issueToken, environment),
    publishing: await startLambdaInstance(t, publishKeys, { ...environment, ...nothing }),
  }
}

/** A gateway in front of these instances, as the routes of the stack are with and without `publicDiscovery`. */
async function startGateway(t: TestContext, issuing: LambdaInstance, describing: LambdaInstance): Promise<string> {
  const gateway = createHttpGateway(async (event) => {
    const instance = event.rawPath.includes('/.well-known/') ? describing : issuing
    return (await instance.invoke(event)).answer as APIGatewayProxyStructuredResultV2
  })
  const url = `http://127.0.0.1:${await listen(gateway, 0, '127.0.0.1')}`
  t.after(() => gateway.close())
  return url
}

async function tokenFor(issuer: string, algorithm: 'oidc' | 'oauth2'): Promise<string> {
  const execute = [openid.allowInsecureRequests]
  const client = await openid.discovery(new URL(issuer), 'any', undefined, openid.None(), { algorithm, execute })
  return (await openid.clientCredentialsGrant(client)).access_token
}

test('a stock client gets a token by discovery alone, whether issue-token or the public function describes the connection', async (t) => {
  const bundles = await startBundles(t)
  if (!bundles) return
  const { issuing, publishing } = bundles
  const tokens = new Set<string>()
  for (const describing of [issuing, publishing]) {
    const url = await startGateway(t, issuing, describing)
    for (const algorithm of ['oidc', 'oauth2'] as const)
      tokens.add(await tokenFor(`${url}/connections/conn`, algorithm))
  }
  assert.equal(tokens.size, 1)

  const open = await startGateway(t, issuing, publishing)
  await assert.rejects(tokenFor(`${open}/connections/nowhere`, 'oidc'), { status: 404 }, 'the token endpoint says so')
  assert.deepEqual(linesOf(publishing), [])
})
