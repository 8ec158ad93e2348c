import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createLocalJWKSet, jwtVerify } from 'jose'
import type { AwsTimeouts } from '../../../../lib/adapters/aws/aws-client.ts'
import { stsWebIdentity } from '../../../../lib/adapters/aws/sts-web-identity.ts'
import { WebIdentityError, type WebIdentityRequest } from '../../../../lib/signing/web-identity.ts'
import { setEnvironment } from '../../../support/process/this-process.ts'
import { AwsRefusal } from '../../../support/servers/aws-refusal.ts'
import { type StageIdentityOptions, startStageIdentity } from '../../../support/servers/stage-identity.ts'

/** Long enough for a busy machine. */
const patient: AwsTimeouts = { connect: 60_000, answer: 60_000, total: 60_000 }
const audience = 'https://as.example'
const request: WebIdentityRequest = {
  awsWebIdentity: 'theIdentity',
  audiences: [audience],
  algorithm: 'ES384',
  durationSeconds: 300,
  tags: { team: 'orders' },
  hasOwnRole: false,
  connection: 'conn',
}

async function start(t: TestContext, options: StageIdentityOptions = {}, timeouts = patient, variables = {}) {
  let aheadMilliseconds = 0
  const now = () => Date.now() + aheadMilliseconds
  const tagKeys = ['tokenwell:stage', 'tokenwell:connection', 'team']
  const identity = await startStageIdentity(t, { tagKeys, ...options })
  setEnvironment(t, { ...identity.environment, AWS_STS_REGIONAL_ENDPOINTS: 'legacy', ...variables })
  const { roleArn: identityRole } = identity
  const webIdentity = stsWebIdentity({ stage: 'local', identityRole, now, timeouts })
  return {
    ...identity,
    webIdentity,
    /** Moves the clock of the function alone: AWS checks the times of signatures. */
    advance: (seconds: number) => {
      aheadMilliseconds += seconds * 1000
    },
    operations: () => identity.sts.accepted,
  }
}

async function failureOf(running: Promise<unknown>): Promise<WebIdentityError> {
  const failure = await running.then(String, (error: unknown) => error)
  return failure instanceof WebIdentityError ? failure : assert.fail(String(failure))
}

for (const algorithm of ['RS256', 'ES384'] as const)
  test(`AWS signs a token with ${algorithm} for the role of the stage, with the tags of stage, connection and element`, async (t) => {
    const { sts, roleArn, webIdentity } = await start(t)
    const token = await webIdentity.token({ ...request, algorithm })
    const keys = createLocalJWKSet((await sts.issuer.keySet()) as Parameters<typeof createLocalJWKSet>[0])
    const expected = { issuer: sts.issuer.issuer, audience, subject: roleArn, algorithms: [algorithm] }
    const { payload } = await jwtVerify(token.reveal(), keys, expected)
    assert.equal(Number(payload.exp) - Number(payload.iat), 300)
    const claims = payload['https://sts.amazonaws.com/'] as Record<string, unknown>
    assert.deepEqual(claims['request_tags'], {
      team: 'orders',
      'tokenwell:stage': 'local',
      'tokenwell:connection': 'conn',
    })
  })

test('each call has a token of its own, and the role is assumed once for many callers', async (t) => {
  const { webIdentity, operations } = await start(t)
  const tokens = await Promise.all(Array.from({ length: 5 }, () => webIdentity.token(request)))
  assert.equal(new Set(tokens.map((token) => token.reveal())).size, 5)
  await webIdentity.token(request)
  assert.deepEqual(operations().filter((operation) => operation === 'AssumeRole').length, 1)
  assert.equal(operations().filter((operation) => operation === 'GetWebIdentityToken').length, 6)
})

test('a session that the token would outlive is replaced before STS refuses the token', async (t) => {
  const { webIdentity, operations, sts, advance } = await start(t)
  await webIdentity.token({ ...request, durationSeconds: 900 })
  advance(3600 - 900 - 30)
  await webIdentity.token({ ...request, durationSeconds: 900 })
  assert.deepEqual([...operations()], ['AssumeRole', 'GetWebIdentityToken', 'AssumeRole', 'GetWebIdentityToken'])
  assert.deepEqual(sts.refusals, [])
})

test('a session that ended early is replaced, once', async (t) => {
  const { webIdentity, sts } = await start(t)
  await webIdentity.token(request)
  sts.fail('GetWebIdentityToken', new AwsRefusal('ExpiredToken', 'The security token is expired', 403), 1)
  await webIdentity.token(request)
  assert.deepEqual(sts.accepted.filter((operation) => operation === 'AssumeRole').length, 2)
  sts.fail('GetWebIdentityToken', new AwsRefusal('ExpiredToken', 'The security token is expired', 403))
  const { message, isPassing } = await failureOf(webIdentity.token(request))
  assert.match(
    message,
    /^awsWebIdentity\/theIdentity: AWS STS does not accept the AWS credentials of Tokenwell \(ExpiredToken\)\./,
  )
  assert.equal(isPassing, false)
})

test('a connection with a role of its own is known by that role', async (t) => {
  const { webIdentity, sts, roleArn } = await start(t)
  const ofStage = sts.account.roleOf(roleArn)
  assert.ok(ofStage)
  const own = sts.account.addRole({ ...ofStage, name: `${ofStage.name}-conn` })
  const session = sts.account.roleOf(String(ofStage.trusts?.[0]))
  assert.ok(session)
  sts.account.addRole({
    ...session,
    statements: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Resource: [roleArn, own] }],
  })
  await webIdentity.token({ ...request, hasOwnRole: true })
  assert.deepEqual(
    sts.issued.map((each) => each.roleArn),
    [own],
  )
})

const codes: readonly (readonly [code: string, status: number, isPassing: boolean, RegExp])[] = [
  ['JWTPayloadSizeExceededException', 400, false, /larger than AWS allows .* Take out tags or audiences/],
  ['SessionDurationEscalationException', 403, false, /live longer than the session.*Make durationSeconds smaller/],
  [
    'ValidationError',
    400,
    false,
    /refuses its audience, durationSeconds or tags \(ValidationError\)\. Compare them with the limits/,
  ],
  ['InvalidParameterValue', 400, false, /refuses its audience, durationSeconds or tags \(InvalidParameterValue\)/],
  ['InvalidAction', 400, false, /They need a regional endpoint: check AWS_REGION/],
  ['RegionDisabledException', 403, false, /STS is not active in this region/],
  [
    'AccessDenied',
    403,
    false,
    /denies the role .* this token \(AccessDenied\)\. Its policy must allow sts:GetWebIdentityToken for the audience https:\/\/as\.example, ES384 and 300 s, and sts:TagGetWebIdentityToken for the tags team, tokenwell:stage, tokenwell:connection\./,
  ],
  ['InternalFailure', 500, true, /gives no answer now \(InternalFailure\)/],
]
for (const [code, status, isPassing, sentence] of codes)
  test(`what STS answers as ${code} has a sentence that says what to do`, async (t) => {
    const { webIdentity, sts } = await start(t, {}, { connect: 60_000, answer: 60_000, total: 1_500 })
    await webIdentity.token(request)
    sts.fail('GetWebIdentityToken', new AwsRefusal(code, 'words of AWS', status))
    const failure = await failureOf(webIdentity.token(request))
    assert.match(failure.message, sentence)
    assert.doesNotMatch(failure.message, /words of AWS/)
    assert.equal(failure.isPassing, isPassing)
  })

test('STS that throttles is asked again within the time limit, and the failure passes', async (t) => {
  const { webIdentity, sts } = await start(t, {}, { connect: 60_000, answer: 60_000, total: 3_000 })
  await webIdentity.token(request)
  sts.fail('GetWebIdentityToken', new AwsRefusal('Throttling', 'Rate exceeded'))
  const { message, isPassing } = await failureOf(webIdentity.token(request))
  assert.match(message, /AWS STS throttles requests of this account \(Throttling\)\. Try again later\./)
  assert.equal(isPassing, true)
})

test('an account that does not sign identity tokens yet: the message names the command', async (t) => {
  const { webIdentity, sts } = await start(t)
  sts.setFederation(false)
  const { message, isPassing } = await failureOf(webIdentity.token(request))
  assert.match(message, /aws iam enable-outbound-web-identity-federation/)
  assert.equal(isPassing, false)
})

test('a foreign audience, a longer duration and a role that is not there are denied, and the message says what to check', async (t) => {
  const { webIdentity, roleArn } = await start(t, { longestSeconds: 300 })
  for (const change of [{ audiences: ['https://other.example'] }, { durationSeconds: 301 }])
    assert.match(
      (await failureOf(webIdentity.token({ ...request, ...change }))).message,
      /denies the role .* this token/,
    )
  const { message } = await failureOf(webIdentity.token({ ...request, hasOwnRole: true }))
  assert.ok(
    message.includes(`assume the role ${roleArn}-conn (AccessDenied). The role does not exist, or does not trust`),
  )
})

test('elements that wait for the same role each have its failure under their own name', async (t) => {
  const { webIdentity } = await start(t)
  const names = ['theIdentity', 'another']
  const failures = await Promise.all(
    names.map((awsWebIdentity) => failureOf(webIdentity.token({ ...request, awsWebIdentity, hasOwnRole: true }))),
  )
  for (const [index, { message }] of failures.entries())
    assert.ok(message.startsWith(`awsWebIdentity/${names[index]}: AWS does not let Tokenwell assume the role`), message)
})

test('STS that cannot be reached is a failure that passes', async (t) => {
  const nowhere = { AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:9' }
  const { webIdentity } = await start(t, {}, { connect: 500, answer: 500, total: 1_000 }, nowhere)
  const { message, isPassing } = await failureOf(webIdentity.token(request))
  assert.match(message, /gives no answer now \(\w+\)\. Check that its regional endpoint can be reached/)
  assert.equal(isPassing, true)
})
