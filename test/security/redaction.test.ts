import assert from 'node:assert/strict'
import { createDecipheriv, randomBytes, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { inspect } from 'node:util'
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import { SecretsManagerServiceException } from '@aws-sdk/client-secrets-manager'
import type { Context } from 'aws-lambda'
import { errors as joseErrors } from 'jose'
import { errors as undiciErrors } from 'undici'
import { createHandler as createIssueToken } from '../../functions/issue-token/handler.ts'
import { createHandler as createPublishKeys } from '../../functions/publish-keys/handler.ts'
import { createHandler as createRefreshToken } from '../../functions/refresh-token/handler.ts'
import { createHandler as createRotateKey } from '../../functions/rotate-key/handler.ts'
import { createHandler as createWarmTokens } from '../../functions/warm-tokens/handler.ts'
import { bundleFunction } from '../../infra/bundle.ts'
import { listen } from '../../infra/local/listen.ts'
import { timerPause } from '../../lib/adapters/process/clock.ts'
import { memoryRecords } from '../../lib/adapters/process/memory-records.ts'
import type { Ports } from '../../lib/application/application.ts'
import {
  createApplication,
  createBackgroundApplication,
  createPublicApplication,
} from '../../lib/application/application.ts'
import { UnexpectedError, unexpectedReason } from '../../lib/base/tokenwell-error.ts'
import { createConnectionCache } from '../../lib/configuration/connection-cache.ts'
import { withoutSealing } from '../../lib/fleet/sealing.ts'
import { elementStoreOf, exampleIssuer, localDeployment } from '../support/elements/element-store.ts'
import { exampleElements } from '../support/elements/elements.ts'
import { contextFor } from '../support/functions/alias.ts'
import { createWorkspace } from '../support/functions/function-caller.ts'
import { createHttpEvent, environmentOf, loadFunction, tokenRequest } from '../support/functions/load-function.ts'
import { type FunctionError, startLambdaInstance } from '../support/lambda/lambda-instance.ts'
import { leaks, overhearAnswer } from '../support/output/canary.ts'
import { captureLog } from '../support/output/captured-log.ts'
import { temporaryFolder } from '../support/process/temporary-folder.ts'
import { setEnvironment } from '../support/process/this-process.ts'
import { withDefaultPorts } from '../support/virtual/default-ports.ts'
import { plainFingerprints, thePassword, theSigners } from '../support/virtual/virtual-ports.ts'

/*
 * An error that is not from Tokenwell may hold anything in its message, cause, stack and members. Whichever port throws
 * it, none of that gets into a log, an answer, an event or a dead letter. What a function throws, and Lambda logs, does
 * not hold it either.
 */

const secret = 'tr0ub4dor-and-3-more-words'
/** Alone on its line, in the form of a stack frame. */
const framed = `no luck with ${secret}\n    at ${secret} (file:///${secret}.js:1:1)`

function withMembers<E extends Error>(error: E, members: object = {}): E {
  return Object.assign(error, { cause: new Error(framed), body: secret, ...members })
}

const $metadata = { httpStatusCode: 400 }
/** Errors that dependencies throw, with a secret in each place that can hold one. */
const foreign: Readonly<Record<string, () => unknown>> = {
  'an error of an AWS service': () =>
    withMembers(
      new SecretsManagerServiceException({ name: 'ValidationException', $fault: 'client', $metadata, message: framed }),
    ),
  'an AWS error that holds an item': () =>
    new ConditionalCheckFailedException({ message: framed, $metadata, Item: { sealedToken: { S: secret } } }),
  'an answer that the SDK could not read': () =>
    withMembers(new SyntaxError(`Unexpected token in ${framed}`), { $responseBodyText: secret }),
  'a connection error of undici': () =>
    withMembers(new undiciErrors.SocketError(framed, { remoteAddress: secret } as never)),
  'an HTTP error of undici': () => withMembers(new undiciErrors.HTTPParserError(framed), { data: secret }),
  'an error of jose': () => withMembers(new joseErrors.JWEDecryptionFailed(framed)),
  'an error of jose with claims': () => new joseErrors.JWTClaimValidationFailed(framed, { sub: secret }),
  'an error of node:crypto': () =>
    withMembers(thrownBy(() => createDecipheriv(secret, randomBytes(32), randomBytes(12)))),
  'an error of a parser': () => thrownBy(() => JSON.parse(`${secret} is no JSON`)),
  'an AggregateError': () => new AggregateError([new Error(framed)], framed),
  'a thrown text': () => framed,
  'a thrown object': () => ({ message: framed, stack: framed }),
}

function thrownBy(run: () => unknown): Error {
  try {
    run()
  } catch (error) {
    return error as Error
  }
  return assert.fail('nothing was thrown')
}

/** The methods of each port that can fail. */
const ports = {
  connections: ['get', 'readAgain'],
  elements: ['get', 'ids', 'findings'],
  secrets: ['get', 'refresh', 'getPrevious'],
  secretStore: ['get'],
  signers: ['current'],
  tokenEndpoint: ['post'],
  store: ['read', 'write', 'due'],
  sealing: ['digest', 'seal', 'open'],
  events: ['raise'],
  secretRotation: ['open'],
} as const

type PortName = keyof typeof ports

/** Calls every function while that port throws. Returns everything that is visible from outside. */
async function allThatIsSeen(t: TestContext, broken: PortName, error: () => unknown): Promise<string[]> {
  const seen: unknown[] = []
  const see = (each: unknown) => void seen.push(each)
  const now = Date.now
  const log = see
  const fails = () => Promise.reject(error())
  const breaking = <Port extends object>(name: PortName, port: Port): Port => {
    if (name !== broken) return port
    return { ...port, ...Object.fromEntries(ports[name].map((method) => [method, fails])) }
  }
  const elements = breaking('elements', await elementStoreOf(t, exampleElements(exampleIssuer)))
  const deployment = localDeployment
  const secrets = breaking('secrets', thePassword)
  const all: Ports = withDefaultPorts({
    connections: breaking(
      'connections',
      createConnectionCache({ elements, deployment, fingerprints: plainFingerprints, now, pause: timerPause, log }),
    ),
    secrets,
    signers: breaking('signers', theSigners),
    tokenEndpoint: breaking('tokenEndpoint', {
      post: async () => ({
        status: 200,
        body: '{"access_token":"some token of conn","token_type":"Bearer","expires_in":1}',
      }),
    }),
    store: breaking('store', memoryRecords({ maximumRecords: 100 })),
    sealing: breaking('sealing', withoutSealing(new Uint8Array(32))),
    events: breaking('events', { isHeard: true, raise: async (events) => see(events) }),
    now,
    // Ends at once, but after everything that does not wait. Otherwise each time limit would end before its call.
    pause: () => turn(),
    log,
  })
  const secretRotation = breaking('secretRotation', {
    open: async () => ({ labels: fails, read: fails, putPending: fails, makeCurrent: fails, giveUp: fails }),
  })
  const wide = { ...all, elements, deployment, secretStore: breaking('secretStore', secrets), secretRotation }
  const application = createApplication(wide)
  const background = createBackgroundApplication(wide)
  const deadLetters = { add: async (letter: object) => see(letter) }

  const run = async (handler: (event: never, context: Context) => Promise<unknown>, event: unknown) => {
    const context = { ...contextFor(event), getRemainingTimeInMillis: () => 55_000 }
    return see(await handler(event as never, context).catch(asLambdaShows))
  }
  const issueToken = createIssueToken({ ...wide, application })
  await run(issueToken, createHttpEvent(tokenRequest('conn')))
  await run(issueToken, createHttpEvent({ method: 'GET', path: '/connections' }))
  await run(issueToken, { connection: 'conn', scope: 'a' })
  const query = `token_id=AAAAAAAAAAAAAAAAAAAAAA.${'A'.repeat(43)}`
  await run(issueToken, createHttpEvent({ method: 'DELETE', path: '/connections/conn/token', query }))
  await run(createWarmTokens({ ...wide, application: background }), {})
  const detail = { connection: 'conn', tokenId: query.slice('token_id='.length) }
  const events = [
    { source: 'me', 'detail-type': 'ConnectionChanged', detail },
    { source: 'me', 'detail-type': 'TokenRejected', detail },
    { source: 'me', 'detail-type': 'ClearTokenCache', detail: {} },
  ]
  for (const event of events) {
    const message = { messageId: 'm', body: JSON.stringify(event), attributes: { ApproximateReceiveCount: '9' } }
    await run(createRefreshToken({ ...wide, application: background, deadLetters }), { Records: [message] })
    await run(createRefreshToken({ ...wide, application: background, deadLetters: { add: fails } }), {
      Records: [message],
    })
  }
  const step = { Step: 'createSecret', SecretId: 'tokenwell/local/jwk/theBuilder', ClientRequestToken: randomUUID() }
  await run(createRotateKey({ ...wide, application: background }), step)
  await run(
    createPublishKeys({ ...wide, application: createPublicApplication(wide) }),
    createHttpEvent({ method: 'GET', path: '/jwt/theBuilder/jwk' }),
  )
  return seen.map((each) => (typeof each === 'string' ? each : JSON.stringify(each)) ?? '')
}

/** Message, stack, cause and every member. */
function asLambdaShows(error: unknown): string {
  return inspect(error, { depth: Infinity, showHidden: true })
}

for (const [what, error] of Object.entries(foreign))
  test(`no function shows anything of ${what}, whichever port throws it`, async (t) => {
    for (const broken of Object.keys(ports) as PortName[]) {
      const seen = await allThatIsSeen(t, broken, error)
      assert.deepEqual(leaks([secret], seen), [], broken)
      assert.ok(
        seen.some((each) => each.includes('unexpected')),
        `nothing was seen while ${broken} failed`,
      )
    }
  })

test('the operator sees only kind and place of an error that is not from Tokenwell', () => {
  const reason = unexpectedReason(new TypeError(framed))
  assert.match(reason, /^TypeError at .*redaction\.test\.ts:\d+/)
  assert.equal(unexpectedReason(framed), 'string')
  const changed = new TypeError(framed)
  changed.message = 'another one'
  assert.deepEqual(leaks([secret], [unexpectedReason(changed), asLambdaShows(new UnexpectedError(changed))]), [])
  assert.match(unexpectedReason(new Error()), /^Error at /)
})

/** Answers with a secret in them, as AWS, one of its services or any proxy might send them. */
const answers: Readonly<Record<string, { readonly status: number; readonly body: string }>> = {
  'an error that nobody knows': {
    status: 400,
    body: JSON.stringify({ __type: 'SomeException', message: framed, Item: secret }),
  },
  'a right that is missing': {
    status: 400,
    body: JSON.stringify({ __type: 'AccessDeniedException', message: framed }),
  },
  'a service that is down': { status: 500, body: framed },
  'an answer that is no JSON': { status: 200, body: `{"SecretString": "${secret}` },
  'an answer that holds something else': {
    status: 200,
    body: JSON.stringify({
      SecretString: secret,
      Parameters: [{ Name: secret, Value: secret }],
      Item: { name: { S: secret } },
    }),
  },
}

for (const [what, answer] of Object.entries(answers))
  test(`no wired function shows anything of an AWS answer with ${what}`, async (t) => {
    const aws = await startAws(t, answer)
    setEnvironment(t, aws.environment)
    const workspace = await createWorkspace(t, exampleElements(exampleIssuer))
    const log = captureLog(t)
    // So short that no call is repeated for long.
    const runs: Promise<unknown>[] = []
    for (const [name, event] of everyFunction()) {
      const handler = await loadFunction(name, workspace, wired)
      const context = { ...contextFor(event), getRemainingTimeInMillis: () => 6_000 }
      runs.push(handler(event, context).catch(asLambdaShows))
    }
    const seen = await Promise.all(runs)
    assert.ok(aws.requests.length > 5)
    for (const each of seen) overhearAnswer(each)
    assert.deepEqual(
      leaks(
        [secret],
        [...seen, ...log, ...aws.requests].map((each) => JSON.stringify(each)),
      ),
      [],
    )
  })

test('what Lambda logs of a function that throws holds nothing of the AWS error behind it', async (t) => {
  const aws = await startAws(t, answers['an error that nobody knows'] as (typeof answers)[string])
  const workspace = await createWorkspace(t, exampleElements(exampleIssuer))
  const bundle = await bundleFunction('rotate-key', await temporaryFolder(t))
  const { POWERTOOLS_LOG_LEVEL: _, ...environment } = environmentOf(workspace)
  const instance = await startLambdaInstance(t, bundle, { ...environment, ...wired, ...aws.environment })
  await assert.rejects(instance.invoke(firstStep()), ({ type, message }: FunctionError) => {
    assert.deepEqual(leaks([secret], [type, message]), [])
    return true
  })
  assert.match(instance.output(), /rotation_failed/)
  assert.deepEqual(leaks([secret], [instance.output()]), [])
})

const wired = {
  TOKENWELL_ELEMENTS: 'parameter-store',
  TOKENWELL_SECRETS: 'secrets-manager',
  TOKENWELL_CACHE: 'dynamodb:tokenwell-local',
  TOKENWELL_EVENTS: 'eventbridge:tokenwell-local',
  TOKENWELL_DEAD_LETTERS: 'sqs:https://sqs.eu-central-1.amazonaws.com/111122223333/dead-letters',
}

const lastDelivery = {
  messageId: 'm',
  body: JSON.stringify({ source: 'me', 'detail-type': 'ConnectionChanged', detail: { connection: 'conn' } }),
  attributes: { ApproximateReceiveCount: '9' },
}

function everyFunction(): [Parameters<typeof loadFunction>[0], object][] {
  return [
    ['issue-token', createHttpEvent(tokenRequest('conn'))],
    ['issue-token', { connection: 'conn' }],
    ['call-api', createHttpEvent({ method: 'GET', path: '/connections/conn/api/x' })],
    ['warm-tokens', {}],
    ['refresh-token', { Records: [lastDelivery] }],
    ['rotate-key', firstStep()],
    ['publish-keys', createHttpEvent({ method: 'GET', path: '/jwt/theBuilder/jwk' })],
  ]
}

function firstStep() {
  return { Step: 'createSecret', SecretId: 'tokenwell/local/jwk/theBuilder', ClientRequestToken: randomUUID() }
}

/** An endpoint that gives one answer for all AWS services. */
async function startAws(t: TestContext, { status, body }: { readonly status: number; readonly body: string }) {
  const requests: string[] = []
  const server = createServer((request, response) => {
    request.setEncoding('utf8').on('data', (text) => requests.push(String(text)))
    request.on('end', () => response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(body))
  })
  const port = await listen(server, 0, '127.0.0.1')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const environment = {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'testing',
    AWS_SECRET_ACCESS_KEY: 'testing',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_MAX_ATTEMPTS: '1',
  }
  return { requests, environment }
}
