import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createServerCertificate } from '../../infra/local/certificate-authority.ts'
import { listen } from '../../infra/local/listen.ts'
import { dynamodbRecords } from '../../lib/adapters/aws/dynamodb-records.ts'
import { eventbridgeBus } from '../../lib/adapters/aws/eventbridge-bus.ts'
import { parameterStoreElements } from '../../lib/adapters/aws/parameter-store-elements.ts'
import { secretsManagerRotation } from '../../lib/adapters/aws/secrets-manager-rotation.ts'
import { secretsManagerSecrets } from '../../lib/adapters/aws/secrets-manager-secrets.ts'
import { sqsDeadLetters } from '../../lib/adapters/aws/sqs-dead-letters.ts'
import { tokenRecordName } from '../../lib/fleet/record-store.ts'
import { exampleElements } from '../support/elements/elements.ts'
import { startCallApiWithScriptedServers } from '../support/functions/call-api-with-scripted-servers.ts'
import {
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest } from '../support/functions/load-function.ts'
import { captureLog } from '../support/output/captured-log.ts'
import { root } from '../support/process/local-run.ts'
import { temporaryFolder } from '../support/process/temporary-folder.ts'
import { setEnvironment } from '../support/process/this-process.ts'

/*
 * People set NODE_TLS_REJECT_UNAUTHORIZED to get rid of an error, and it affects the whole process. On Lambda no
 * function starts with it.
 */

test('no environment variable turns the certificate check of a token endpoint off', async (t) => {
  turnChecksOff(t)
  const log = captureLog(t)
  const { http, requests } = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => ({ ...exampleElements(issuer), ssl: {} }),
    () => tokenAnswer(),
  )
  assert.equal((await http(tokenRequest('conn'))).status, 503)
  assert.ok(
    log.some((each) => each.event === 'request_failed' && /sent a certificate of an unknown CA/.test(each.reason)),
  )
  assert.equal(requests.length, 0, 'an assertion went to the untrusted server')
})

test('no environment variable turns the certificate check of an API off', async (t) => {
  turnChecksOff(t)
  const { api, call } = await startCallApiWithScriptedServers(t, undefined, {
    elements: { endpoint: { sslCertsRef: undefined } },
  })
  const { status, proxyError } = await call()
  assert.deepEqual([status, proxyError], [502, 'tls_certificate_error'])
  assert.equal(api.requests.length, 0, 'a token went to the untrusted server')
})

test('no AWS client sends its request, with its signature, to a server that is not trusted', async (t) => {
  turnChecksOff(t)
  const paths = await startUntrustedAws(t)
  const stage = 'prod'
  const timeouts = { connect: 500, answer: 500, total: 500 }
  const [name, bus] = ['tokenwell/prod/key', eventbridgeBus({ busName: 'bus', stage, timeouts })]
  const event = { type: 'TokenRejected', connection: 'conn', tokenId: 'id' } as const
  for (const [client, call] of Object.entries({
    SecretsManager: () => secretsManagerSecrets({ stage, timeouts }).get(name),
    rotation: async () => (await secretsManagerRotation({ stage, timeouts }).open(name)).labels(),
    ParameterStore: () => parameterStoreElements({ stage, timeouts }).ids('ssl'),
    DynamoDB: () => dynamodbRecords({ tableName: 'table', attemptMilliseconds: 500 }).read([tokenRecordName('a', 'b')]),
    EventBridge: () => bus.raise([event]),
    SQS: () =>
      sqsDeadLetters({ queueUrl: 'https://sqs.example/1/q', timeouts }).add({ body: '{}', reason: 'r', code: 'c' }),
  }))
    await assert.rejects(call, /CERT|SELF_SIGNED|VERIFY|TimeoutError/, client)
  assert.deepEqual(paths, [])
})

test('every AWS client in lib is made with those settings', () => {
  const folder = join(root, 'lib')
  const made = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .flatMap((path) => readFileSync(join(folder, path), 'utf8').match(/new \w+Client\([^;]*/g) ?? [])
  assert.ok(made.length >= 6)
  for (const each of made) assert.match(each, /awsClientSettings\(|requestHandler: awsTls\b/)
})

/** A TLS endpoint for every AWS service, with a certificate that no client trusts. */
async function startUntrustedAws(t: TestContext): Promise<readonly string[]> {
  const certificate = await createServerCertificate(['localhost'])
  const caFile = join(await temporaryFolder(t), 'ca.pem')
  await writeFile(caFile, certificate.caCertificate)
  const paths: string[] = []
  const server = createServer({ cert: certificate.certificate, key: certificate.privateKey }, (request, response) => {
    paths.push(String(request.url))
    response.end('{}')
  })
  const port = await listen(server, 0, 'localhost')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  setEnvironment(t, {
    AWS_ENDPOINT_URL: `https://localhost:${port}`,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'testing',
    AWS_SECRET_ACCESS_KEY: 'testing',
    // This has no effect, because the SDK for JavaScript does not read it.
    AWS_CA_BUNDLE: caFile,
  })
  return paths
}

function turnChecksOff(t: { mock: typeof import('node:test').mock; after(run: () => void): void }): void {
  t.mock.method(process, 'emitWarning', () => {})
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
  t.after(() => delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'])
}
