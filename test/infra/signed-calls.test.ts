import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createHttpGateway, type LambdaHandler } from '../../infra/local/http-gateway.ts'
import { listen } from '../../infra/local/listen.ts'
import { startIssueTokenWithOidcProvider } from '../support/functions/issue-token-with-oidc-provider.ts'
import { loadFunction } from '../support/functions/load-function.ts'
import { overhearAnswer, plant } from '../support/output/canary.ts'
import { root, runShell } from '../support/process/local-run.ts'
import { startEchoApi } from '../support/servers/echo-api.ts'

/* The signed calls of infra/README.md, as curl makes them, but for API Gateway: nobody here looks at the signature. */

const readme = readFileSync(join(root, 'infra', 'README.md'), 'utf8')
const commands = [...readme.matchAll(/^```\n(curl [^`]*--aws-sigv4[^`]*)```$/gm)].map(([, command = '']) => command)

test('the signed calls of infra/README.md bring a token and an answer of the API, to which no signature goes', async (t) => {
  const [forToken = '', forAnswer = '', ...more] = commands
  assert.deepEqual(more, [])
  const ground = await startGround(t)

  const token = JSON.parse(await ground.run(forToken))
  overhearAnswer(token)
  assert.deepEqual([token.token_type, token.source], ['Bearer', 'server'])

  assert.deepEqual(JSON.parse(await ground.run(forAnswer)), { method: 'GET', url: '/v1/orders?state=open', body: '' })
  const headers: IncomingHttpHeaders = ground.api.requests[0]?.headers ?? {}
  assert.match(String(headers.authorization), /^Bearer \S+$/)
  assert.deepEqual(
    Object.keys(headers).filter((name) => name.startsWith('x-')),
    [],
  )
  for (const authorization of ground.authorizations)
    assert.match(authorization, /^AWS4-HMAC-SHA256 Credential=AKIA[^,]*\/eu-central-1\/execute-api\/aws4_request, /)
  assert.equal(ground.authorizations.length, 2)
})

async function startGround(t: TestContext) {
  const api = await startEchoApi(t)
  const set = await startIssueTokenWithOidcProvider(t, (issuer) => {
    const elements = api.elements(issuer)
    return { ...elements, endpointConnection: { orders: { ...elements['endpointConnection']?.['conn'] } } }
  })
  await api.trustIn(set.workspace)
  const callApi = await loadFunction('call-api', set.workspace)
  const authorizations: string[] = []
  const handler = (async (event, context) => {
    authorizations.push(event.headers['authorization'] ?? '')
    return event.rawPath.includes('/api/') ? callApi(event, context) : set.handler(event, context)
  }) as LambdaHandler
  const gateway = createHttpGateway(handler)
  const port = await listen(gateway, 0, '127.0.0.1')
  t.after(() => gateway.close())
  const secrets = { AWS_SECRET_ACCESS_KEY: 'the secret access key of the caller', AWS_SESSION_TOKEN: 'thesessiontoken' }
  for (const secret of Object.values(secrets)) plant(secret)
  const environment = { ...secrets, AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE', API_URL: `http://127.0.0.1:${port}` }
  return {
    api,
    authorizations,
    async run(command: string) {
      const { status, output } = await runShell(command, environment)
      assert.equal(status, 0, output)
      return output
    },
  }
}
