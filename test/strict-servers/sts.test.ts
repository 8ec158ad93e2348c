import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import {
  AssumeRoleCommand,
  GetWebIdentityTokenCommand,
  type GetWebIdentityTokenCommandInput,
  STSClient,
  STSServiceException,
} from '@aws-sdk/client-sts'
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { AwsRefusal } from '../support/servers/aws-refusal.ts'
import { createTlsClient } from '../support/servers/configurable-authorization-server.ts'
import { type StageIdentity, startStageIdentity } from '../support/servers/stage-identity.ts'

const audience = 'https://as.example'
const asked: GetWebIdentityTokenCommandInput = { Audience: [audience], SigningAlgorithm: 'RS256' }

type Changes = { readonly [Name in keyof GetWebIdentityTokenCommandInput]?: unknown }

/** A client of AWS's SDK with the credentials of the function. It sends each request once. */
function functionClient(t: TestContext, { sts, environment }: StageIdentity): STSClient {
  return client(t, sts.endpoint, {
    accessKeyId: String(environment['AWS_ACCESS_KEY_ID']),
    secretAccessKey: String(environment['AWS_SECRET_ACCESS_KEY']),
    sessionToken: String(environment['AWS_SESSION_TOKEN']),
  })
}

interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

function client(t: TestContext, endpoint: string, credentials: Credentials, region = 'eu-central-1'): STSClient {
  const created = new STSClient({ endpoint, region, credentials, maxAttempts: 1 })
  t.after(() => created.destroy())
  return created
}

/** Credentials of the identity role, as the function gets them. */
async function assume(t: TestContext, identity: StageIdentity, DurationSeconds = 3600): Promise<Credentials> {
  const RoleSessionName = 'tokenwell'
  const command = new AssumeRoleCommand({ RoleArn: identity.roleArn, RoleSessionName, DurationSeconds })
  const { Credentials: given } = await functionClient(t, identity).send(command)
  assert(given?.AccessKeyId && given.SecretAccessKey && given.SessionToken)
  return { accessKeyId: given.AccessKeyId, secretAccessKey: given.SecretAccessKey, sessionToken: given.SessionToken }
}

async function ask(t: TestContext, identity: StageIdentity, changes: Changes = {}, seconds?: number) {
  const input = { ...asked, ...changes } as GetWebIdentityTokenCommandInput
  const credentials = await assume(t, identity, seconds)
  return await client(t, identity.sts.endpoint, credentials).send(new GetWebIdentityTokenCommand(input))
}

for (const algorithm of ['RS256', 'ES384'] as const)
  test(`STS issues a token by ${algorithm} that its published keys verify`, async (t) => {
    const identity = await startStageIdentity(t)
    const { WebIdentityToken: token = '', Expiration } = await ask(t, identity, { SigningAlgorithm: algorithm })
    const { issuer } = identity.sts
    const tls = createTlsClient(t, issuer.certificate)
    const metadata = await tls.readJson(`${issuer.issuer}/.well-known/openid-configuration`, { method: 'GET' })
    assert.equal(metadata['issuer'], issuer.issuer)
    assert.equal('token_endpoint' in metadata, false)
    const keys = await tls.readJson(String(metadata['jwks_uri']), { method: 'GET' })
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(keys as never), {
      issuer: issuer.issuer,
      audience,
      algorithms: [algorithm],
    })
    assert.deepEqual(Object.keys(protectedHeader).sort(), ['alg', 'kid', 'typ'])
    assert.equal(payload.sub, identity.roleArn)
    assert.equal(payload.aud, audience)
    assert.equal(Number(payload.exp) - Number(payload.iat), 300)
    assert.equal(Expiration?.getTime(), Number(payload.exp) * 1000)
    assert.equal(payload.nbf, undefined)
    const { original_session_exp, ...own } = payload['https://sts.amazonaws.com/'] as Record<string, unknown>
    assert.match(String(original_session_exp), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    const { accountId, region } = identity.sts.account
    assert.deepEqual(own, { aws_account: accountId, source_region: region, principal_id: identity.roleArn })
  })

test('several audiences are a list, and tags are request_tags', async (t) => {
  const identity = await startStageIdentity(t, { audiences: [audience, 'another'], tagKeys: ['tokenwell:stage'] })
  const Tags = [{ Key: 'tokenwell:stage', Value: 'prod' }]
  const { WebIdentityToken = '' } = await ask(t, identity, { Audience: [audience, 'another'], Tags })
  const { aud, ...claims } = decodeJwt(WebIdentityToken)
  assert.deepEqual(aud, [audience, 'another'])
  const own = claims['https://sts.amazonaws.com/'] as Record<string, unknown>
  assert.deepEqual(own['request_tags'], { 'tokenwell:stage': 'prod' })
  assert.equal(identity.sts.issued[0]?.token, WebIdentityToken)
})

test('each token has an id of its own', async (t) => {
  const identity = await startStageIdentity(t)
  const first = await ask(t, identity, { Tags: [] })
  const second = await ask(t, identity)
  assert.notEqual(decodeJwt(first.WebIdentityToken ?? '').jti, decodeJwt(second.WebIdentityToken ?? '').jti)
})

test('new keys sign, and the former keys stay published', async (t) => {
  const identity = await startStageIdentity(t)
  const { WebIdentityToken: former = '' } = await ask(t, identity)
  identity.sts.issuer.addKeys()
  const { WebIdentityToken: latter = '' } = await ask(t, identity)
  assert.deepEqual(
    [former, latter].map((each) => decodeProtectedHeader(each).kid),
    ['RSA_0', 'RSA_1'],
  )
  const keys = createLocalJWKSet((await identity.sts.issuer.keySet()) as never)
  for (const token of [former, latter]) await jwtVerify(token, keys, { audience })
})

const tag = (Key: string, Value = 'x') => ({ Key, Value })
const tooMany = Array.from({ length: 51 }, (_, index) => tag(`k${index}`))
const large = Array.from({ length: 50 }, (_, index) => tag(`${index}`.padStart(100, 'k'), 'v'.repeat(256)))
const allTags = { tagKeys: large.map(({ Key }) => Key) }

/** What is refused, with the code and the status of AWS. */
const refused: Readonly<Record<string, readonly [Changes, code: string, status: number, options?: object]>> = {
  'no audience': [{ Audience: [] }, 'ValidationError', 400],
  'eleven audiences': [{ Audience: Array.from({ length: 11 }, (_, index) => `a${index}`) }, 'ValidationError', 400],
  'an empty audience': [{ Audience: [''] }, 'ValidationError', 400],
  'an audience of 1001 characters': [{ Audience: ['a'.repeat(1001)] }, 'ValidationError', 400],
  'no algorithm': [{ SigningAlgorithm: undefined }, 'ValidationError', 400],
  'the algorithm ES256': [{ SigningAlgorithm: 'ES256' }, 'ValidationError', 400],
  'an algorithm in lower case': [{ SigningAlgorithm: 'rs256' }, 'ValidationError', 400],
  '59 seconds': [{ DurationSeconds: 59 }, 'ValidationError', 400],
  '3601 seconds': [{ DurationSeconds: 3601 }, 'ValidationError', 400],
  '51 tags': [{ Tags: tooMany }, 'ValidationError', 400],
  'a tag without a key': [{ Tags: [tag('')] }, 'ValidationError', 400],
  'a tag key of 129 characters': [{ Tags: [tag('k'.repeat(129))] }, 'ValidationError', 400],
  'a tag value of 257 characters': [{ Tags: [tag('k', 'v'.repeat(257))] }, 'ValidationError', 400],
  'a tag value with a bracket': [{ Tags: [tag('k', '<')] }, 'ValidationError', 400],
  'a reserved tag key': [{ Tags: [tag('aws:k')] }, 'ValidationError', 400],
  'a tag key twice': [{ Tags: [tag('team'), tag('Team')] }, 'InvalidParameterValue', 400],
  'a foreign audience': [{ Audience: ['https://other.example'] }, 'AccessDenied', 403],
  'a foreign audience beside an allowed one': [{ Audience: [audience, 'https://other.example'] }, 'AccessDenied', 403],
  'more seconds than the role may ask for': [{ DurationSeconds: 600 }, 'AccessDenied', 403, { longestSeconds: 599 }],
  'the default of 300 seconds, if the role may ask for fewer': [{}, 'AccessDenied', 403, { longestSeconds: 299 }],
  'a tag that the role may not set': [{ Tags: [tag('other')] }, 'AccessDenied', 403],
  'claims of more than 14,984 bytes': [{ Tags: large }, 'JWTPayloadSizeExceededException', 400, allTags],
}

for (const [deviation, [changes, code, status, options]] of Object.entries(refused))
  test(`STS refuses ${deviation}`, async (t) => {
    const identity = await startStageIdentity(t, options)
    await assert.rejects(ask(t, identity, changes), refusal(code, status))
    assert.equal(identity.sts.issued.length, 0)
    assert.match(identity.sts.refusals.join(), new RegExp(`GetWebIdentityToken ${code}`))
  })

function refusal(name: string, status: number) {
  return (error: unknown) => {
    assert(error instanceof STSServiceException)
    assert.deepEqual([error.name, error.$metadata.httpStatusCode], [name, status])
    return true
  }
}

test('STS refuses a token that would outlive its session', async (t) => {
  const identity = await startStageIdentity(t)
  await assert.rejects(
    ask(t, identity, { DurationSeconds: 901 }, 900),
    refusal('SessionDurationEscalationException', 403),
  )
  await ask(t, identity, { DurationSeconds: 890 }, 900)
})

test('a role that is assumed by a role has a session of at most an hour', async (t) => {
  const identity = await startStageIdentity(t)
  await assert.rejects(assume(t, identity, 3601), refusal('ValidationError', 400))
})

test('STS issues no token while the account has not enabled outbound federation', async (t) => {
  const identity = await startStageIdentity(t)
  identity.sts.setFederation(false)
  await assert.rejects(ask(t, identity), refusal('OutboundWebIdentityFederationDisabledException', 403))
  // A missing right is said first.
  identity.allow([])
  await assert.rejects(ask(t, identity), refusal('AccessDenied', 403))
  identity.allow([{ Effect: 'Allow', Action: 'sts:GetWebIdentityToken', Resource: '*' }])
  identity.sts.setFederation(true)
  await ask(t, identity)
})

test('tags need a permission of their own', async (t) => {
  const identity = await startStageIdentity(t)
  identity.allow([{ Effect: 'Allow', Action: 'sts:GetWebIdentityToken', Resource: '*' }])
  await ask(t, identity)
  await assert.rejects(ask(t, identity, { Tags: [tag('tokenwell:stage')] }), /sts:TagGetWebIdentityToken/)
})

test('a role that does not exist, or does not trust the caller, is access denied', async (t) => {
  const identity = await startStageIdentity(t)
  const caller = functionClient(t, identity)
  const stranger = identity.sts.account.addRole({ name: 'stranger', statements: [] })
  for (const RoleArn of [identity.roleArn.replace('identity', 'missing'), stranger])
    await assert.rejects(
      caller.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: 'tokenwell' })),
      refusal('AccessDenied', 403),
    )
})

test('STS refuses credentials that are unknown, wrong, over or for another region', async (t) => {
  let now = Date.now()
  const identity = await startStageIdentity(t, { now: () => now })
  const { endpoint } = identity.sts
  const credentials = await assume(t, identity, 900)
  const send = (changed: Partial<Credentials>, region?: string) =>
    client(t, endpoint, { ...credentials, ...changed }, region).send(new GetWebIdentityTokenCommand(asked))
  await assert.rejects(send({ accessKeyId: 'ASIAUNKNOWN' }), refusal('InvalidClientTokenId', 403))
  await assert.rejects(send({ sessionToken: 'another' }), refusal('InvalidClientTokenId', 403))
  await assert.rejects(send({ secretAccessKey: 'another' }), refusal('SignatureDoesNotMatch', 403))
  await assert.rejects(send({}, 'us-east-1'), refusal('SignatureDoesNotMatch', 403))
  now += 901_000
  await assert.rejects(send({}), refusal('SignatureDoesNotMatch', 403))
  t.mock.timers.enable({ apis: ['Date'], now })
  await assert.rejects(send({}), refusal('ExpiredToken', 403))
})

test('the global endpoint does not know GetWebIdentityToken', async (t) => {
  const identity = await startStageIdentity(t)
  const global = client(t, identity.sts.endpoint, await assume(t, identity))
  global.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { headers: Record<string, string> }
      headers['host'] = 'sts.amazonaws.com'
      return next(args)
    },
    { step: 'build' },
  )
  await assert.rejects(global.send(new GetWebIdentityTokenCommand(asked)), refusal('InvalidAction', 400))
})

test('STS fails where a test says so, and works again', async (t) => {
  const identity = await startStageIdentity(t)
  const { sts } = identity
  sts.fail('GetWebIdentityToken', new AwsRefusal('Throttling', 'Rate exceeded'), 1)
  await assert.rejects(ask(t, identity), refusal('Throttling', 400))
  await ask(t, identity)
  sts.fail('AssumeRole', 'reset')
  await assert.rejects(ask(t, identity), /ECONNRESET|socket hang up/)
  sts.work()
  await ask(t, identity)
  sts.refuseConnections()
  await assert.rejects(ask(t, identity), /ECONNREFUSED/)
  sts.work()
  await ask(t, identity)
})
