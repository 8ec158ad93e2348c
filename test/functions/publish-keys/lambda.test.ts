import assert from 'node:assert/strict'
import { basename, join } from 'node:path'
import { after, test } from 'node:test'
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { build } from 'esbuild'
import { bundleFunction, bundling } from '../../../infra/bundle.ts'
import { dynamodbRecords } from '../../../lib/adapters/aws/dynamodb-records.ts'
import { kmsPublicationKey } from '../../../lib/adapters/aws/kms-publication-key.ts'
import { publishedKeysRecordName } from '../../../lib/fleet/record-store.ts'
import type { Publication } from '../../../lib/key-lifecycle/published-keys.ts'
import { generateKey } from '../../../lib/signing/key-algorithm.ts'
import { readPublicJwk } from '../../../lib/signing/public-jwk.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { createWorkspace } from '../../support/functions/function-caller.ts'
import { createHttpEvent } from '../../support/functions/load-function.ts'
import { assertCatalogued, linesOf, startAwsForLambda } from '../../support/lambda/aws-for-lambda.ts'
import { startLambdaInstance } from '../../support/lambda/lambda-instance.ts'
import { plant } from '../../support/output/canary.ts'
import { root } from '../../support/process/local-run.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'
import { putPublication, signFields } from '../../support/virtual/publications.ts'

/* The built function as Lambda runs it. */

const folder = await temporaryFolder({ after })
const publishKeys = await bundleFunction('publish-keys', folder)

const whole = generateKey('RS256', 2048).export({ format: 'jwk' })
for (const member of [whole.d, whole.p, whole.q, whole.dp, whole.dq, whole.qi]) plant(String(member))
const jwk = readPublicJwk({ ...whole, kid: 'the-key', use: 'sig', alg: 'RS256' })
assert(jwk)

test('it answers from the record alone, without elements and secrets', async (t) => {
  const ground = await startAwsForLambda(t)
  if (!ground) return
  const environment = await ground.move(await createWorkspace(t, exampleElements('https://as.example.com')))
  const [, tableName = ''] = String(environment['TOKENWELL_CACHE']).split(':')
  const store = dynamodbRecords({ tableName, attemptMilliseconds: 10_000 })
  const signer = kmsPublicationKey({ keyId: String(environment['TOKENWELL_PUBLICATION_KEY']).replace(/^kms:/, '') })
  const put = (id: string, publication: Publication) => putPublication(store, id, publication, Date.now(), signer)
  await put('theBuilder', { kind: 'keys', keys: [{ jwk, publishedAt: Date.now() }] })
  await put('shared', { kind: 'shared_key', algorithm: 'HS256' })
  // A record as a mistake in Tokenwell could write it, without its checks.
  const leak = { keys: [{ ...whole, kid: 'the-key', publishedAt: 1 }] }
  const jwks = JSON.stringify(leak)
  const leaking = await signFields('leaking', { jwks }, Date.now(), signer)
  await store.write(publishedKeysRecordName('leaking'), leaking, undefined)
  await store.write(publishedKeysRecordName('forged'), leaking, undefined)

  const nothing = {
    ...environment,
    AWS_ENDPOINT_URL_SSM: 'http://127.0.0.1:9',
    AWS_ENDPOINT_URL_SECRETS_MANAGER: 'http://127.0.0.1:9',
  }
  const instance = await startLambdaInstance(t, publishKeys, nothing)
  const invocations: { requestId: string; milliseconds: number }[] = []
  const get = async (id: string, headers: Record<string, string> = {}) => {
    const invocation = await instance.invoke(createHttpEvent({ method: 'GET', path: `/jwt/${id}/jwk`, headers }))
    invocations.push(invocation)
    return invocation.answer as APIGatewayProxyStructuredResultV2
  }
  const { statusCode, headers, body } = await get('theBuilder')
  assert.equal(statusCode, 200)
  assert.deepEqual(JSON.parse(body ?? ''), { keys: [jwk] })
  assert.equal(headers?.['cache-control'], 'public, max-age=300')
  assert.equal((await get('theBuilder', { 'if-none-match': String(headers?.['etag']) })).statusCode, 304)
  assert.equal((await get('shared')).statusCode, 400)
  assert.equal((await get('nobody')).statusCode, 404)
  const { kty, n, e } = whole
  assert.deepEqual(JSON.parse((await get('leaking')).body ?? ''), { keys: [{ kty, kid: 'the-key', n, e }] })
  assert.equal((await get('forged')).statusCode, 503)
  assert.deepEqual(assertCatalogued(linesOf(instance), invocations), ['publication_refused', 'request_failed'])
  t.diagnostic(
    `init ${Math.round(instance.initMilliseconds)} ms, first answer ${Math.round(invocations[0]?.milliseconds ?? 0)} ms`,
  )
})

test('without its table it answers 503, and the log has the reason', async (t) => {
  const ground = await startAwsForLambda(t)
  if (!ground) return
  const environment = await ground.move(await createWorkspace(t, exampleElements('https://as.example.com')))
  const instance = await startLambdaInstance(t, publishKeys, {
    ...environment,
    TOKENWELL_CACHE: 'dynamodb:no-such-table',
  })
  const invocation = await instance.invoke(createHttpEvent({ method: 'GET', path: '/jwt/theBuilder/jwk' }))
  const { statusCode, headers } = invocation.answer as APIGatewayProxyStructuredResultV2
  assert.deepEqual([statusCode, headers?.['retry-after']], [503, '5'])
  assert.deepEqual(assertCatalogued(linesOf(instance), [invocation]), ['cache_passed_over', 'request_failed'])
})

test('its bundle has no client for elements or token endpoints', async () => {
  const entryPoints = [join(root, 'functions', 'publish-keys', 'index.ts')]
  const { metafile } = await build({ ...bundling, entryPoints, outdir: folder, write: false, metafile: true })
  const names = Object.keys(metafile.inputs).map((path) => basename(path))
  assert.ok(names.includes('dynamodb-records.ts'))
  for (const none of ['parameter-store-elements.ts', 'undici-token-endpoint.ts', 'secrets-manager-rotation.ts'])
    assert.ok(!names.includes(none), none)
})
