import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { symlink } from 'node:fs/promises'
import type { IncomingHttpHeaders } from 'node:http'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createHttpGateway, type LambdaHandler } from '../../infra/local/http-gateway.ts'
import { listen } from '../../infra/local/listen.ts'
import { startIssueTokenWithOidcProvider } from '../support/functions/issue-token-with-oidc-provider.ts'
import { loadFunction } from '../support/functions/load-function.ts'
import { overhearAnswer, plant } from '../support/output/canary.ts'
import { root, runShell } from '../support/process/local-run.ts'
import { temporaryFolder } from '../support/process/temporary-folder.ts'
import { startEchoApi } from '../support/servers/echo-api.ts'

/* The signed calls of infra/README.md, as curl, Node.js and Python make them. API Gateway is missing, so no signature is verified. */

const readme = readFileSync(join(root, 'infra', 'README.md'), 'utf8')
const commands = blocksOf('sh').filter((command) => /^curl .*--aws-sigv4/.test(command))

test('the signed calls of infra/README.md return a token and an answer of the API, and the API gets no signature', async (t) => {
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

test('the program for Node.js gets a token with a signed call', async (t) => {
  const programs = blocksOf('ts').filter((text) => text.includes('aws4fetch'))
  const token = await runProgram(t, programs, {
    fileName: 'program.ts',
    call: "console.log(JSON.stringify(await tokenFor('orders', '?minimum_seconds=10')))",
    command: process.execPath,
  })
  assert.deepEqual([token.token_type, token.source], ['Bearer', 'server'])
})

test('the program for Python gets a token with a signed call', async (t) => {
  if ((await runShell('python3 -c "import boto3"')).status !== 0) return t.skip('boto3 is missing')
  const token = await runProgram(t, blocksOf('py'), {
    fileName: 'program.py',
    call: "import json\nprint(json.dumps(token_for('orders', '?minimum_seconds=10')))",
    command: 'python3',
  })
  assert.deepEqual([token.token_type, token.source], ['Bearer', 'server'])
})

/** Runs the one program with a call of its function, and returns the token. */
async function runProgram(
  t: TestContext,
  programs: readonly string[],
  { fileName, call, command }: { readonly fileName: string; readonly call: string; readonly command: string },
) {
  const [program = '', ...more] = programs
  assert.deepEqual(more, [])
  const folder = await temporaryFolder(t, {
    'package.json': '{ "type": "module" }',
    [fileName]: `${program}\n${call}\n`,
  })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  const ground = await startGround(t)

  const token = JSON.parse(await ground.run(`${command} ${join(folder, fileName)}`))
  overhearAnswer(token)
  assert.equal(ground.authorizations.length, 1)
  assert.match(
    ground.authorizations[0] ?? '',
    /^AWS4-HMAC-SHA256 Credential=AKIA[^,]*\/eu-central-1\/execute-api\/aws4_request, /,
  )
  return token
}

function blocksOf(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'gm'))].map(([, text = '']) => text)
}

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
  const environment = {
    ...secrets,
    AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
    AWS_REGION: 'eu-central-1',
    API_URL: `http://127.0.0.1:${port}`,
  }
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
