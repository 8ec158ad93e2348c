import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import { createHandler } from '../../../functions/publish-keys/handler.ts'
import { CacheUnavailableError } from '../../../lib/fleet/circuit-breaker.ts'
import { readPublication } from '../../../lib/key-lifecycle/publication-record.ts'
import { PublicationRefusedError } from '../../../lib/key-lifecycle/publication-store.ts'
import type { Publication } from '../../../lib/key-lifecycle/published-keys.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import { generateKey } from '../../../lib/signing/key-algorithm.ts'
import { readPublicJwk } from '../../../lib/signing/public-jwk.ts'
import { createHttpEvent } from '../../support/functions/load-function.ts'
import { signFields, thePublicationKey } from '../../support/virtual/publications.ts'

const start = 1_800_000_000_000
const whole = generateKey('ES256', 0).export({ format: 'jwk' })
const jwk = readPublicJwk({ ...whole, kid: 'a', use: 'sig', alg: 'ES256' })
assert(jwk)
const one: Publication = { kind: 'keys', keys: [{ jwk, publishedAt: start }] }

interface Answer extends APIGatewayProxyStructuredResultV2 {
  readonly json: Record<string, unknown>
}

function publishing(read: (jwtBuilder: string) => Publication | undefined) {
  const [log, asked]: [LogEvent[], string[]] = [[], []]
  let time = start
  const handler = createHandler({
    application: {
      async readPublishedKeys(jwtBuilder, waitUntil) {
        asked.push(jwtBuilder)
        assert.equal(waitUntil, time + 2_000)
        return read(jwtBuilder)
      },
    },
    deployment: { publicUrl: 'https://tokens.example' },
    now: () => time,
    log: (event) => void log.push(event),
  })
  return {
    ...{ log, asked },
    pass(milliseconds: number) {
      time += milliseconds
    },
    async get(
      path = '/jwt/theBuilder/jwk',
      headers: Record<string, string> = {},
      method = 'GET',
      stage = '$default',
    ): Promise<Answer> {
      const event = createHttpEvent({ method, path, headers }) as APIGatewayProxyEventV2
      event.requestContext.stage = stage
      const answer = await handler(event, { awsRequestId: 'the-request' } as Context)
      return { ...answer, json: answer.body === undefined ? {} : JSON.parse(answer.body) }
    },
  }
}

test('any caller gets the JWK set, and may keep it for five minutes', async () => {
  const publication = publishing(() => one)
  const { statusCode, headers, json } = await publication.get()
  assert.equal(statusCode, 200)
  assert.deepEqual(json, {
    keys: [{ kty: 'EC', kid: 'a', use: 'sig', alg: 'ES256', crv: 'P-256', x: whole.x, y: whole.y }],
  })
  assert.equal(headers?.['cache-control'], 'public, max-age=300')
  assert.deepEqual(publication.asked, ['theBuilder'])
  assert.deepEqual(publication.log, [])
})

test('the content type is JSON, unless the caller accepts the type for JWK sets', async () => {
  const { get } = publishing(() => one)
  const typeFor = async (accept?: string) =>
    (await get('/jwt/theBuilder/jwk', accept === undefined ? {} : { accept })).headers?.['content-type']
  assert.equal(await typeFor(), 'application/json')
  assert.equal(await typeFor('application/json'), 'application/json')
  assert.equal(await typeFor('*/*'), 'application/json')
  assert.equal(await typeFor('application/json, application/jwk-set+json'), 'application/jwk-set+json')
  assert.equal((await get()).headers?.['vary'], 'accept')
})

test('a caller with the present set gets a 304, until the set changes', async () => {
  let current = one
  const { get } = publishing(() => current)
  const { headers } = await get()
  const etag = String(headers?.['etag'])
  assert.match(etag, /^"[\w-]+"$/)
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const answer = await get('/jwt/theBuilder/jwk', { 'if-none-match': known })
    assert.deepEqual([answer.statusCode, answer.body, answer.headers?.['etag']], [304, undefined, etag])
    assert.equal(answer.headers?.['cache-control'], 'public, max-age=300')
  }
  assert.equal((await get('/jwt/theBuilder/jwk', { 'if-none-match': '"other"' })).statusCode, 200)
  current = {
    kind: 'keys',
    keys: [...(one.kind === 'keys' ? one.keys : []), { jwk: { ...jwk, kid: 'b' }, publishedAt: start }],
  }
  assert.equal((await get('/jwt/theBuilder/jwk', { 'if-none-match': etag })).statusCode, 200)
})

test('a key is served until its end, to the millisecond, even if the record still has it', async () => {
  const { get, pass } = publishing(() => ({
    kind: 'keys',
    keys: [
      { jwk, publishedAt: start },
      { jwk: { ...jwk, kid: 'b' }, publishedAt: start, until: start + 1000 },
    ],
  }))
  const kids = async () => ((await get()).json['keys'] as { kid: string }[]).map(({ kid }) => kid)
  pass(999)
  assert.deepEqual(await kids(), ['a', 'b'])
  pass(1)
  assert.deepEqual(await kids(), ['a'])
})

test('a missing jwtBuilder, and one without a key, are 404', async () => {
  const { statusCode, headers, json } = await publishing(() => undefined).get()
  assert.equal(statusCode, 404)
  assert.equal(headers?.['cache-control'], 'no-store')
  assert.deepEqual(json, {
    error: 'invalid_request',
    error_description: 'No keys are published for the jwtBuilder theBuilder. It does not exist, or it has no key yet.',
    request_id: 'the-request',
  })
})

test('if all keys were withdrawn, the set is empty and must not be kept: after an error a verifier would use its old set', async () => {
  const past: Publication = { kind: 'keys', keys: [{ jwk, publishedAt: 0, until: 1 }] }
  for (const publication of [{ kind: 'keys', keys: [] } as const, past]) {
    const { statusCode, headers, json } = await publishing(() => publication).get()
    assert.equal(statusCode, 200)
    assert.equal(headers?.['cache-control'], 'no-store')
    assert.deepEqual(json, { keys: [] })
  }
})

test('for a shared key, only its algorithm is shown', async () => {
  const { statusCode, json } = await publishing(() => ({ kind: 'shared_key', algorithm: 'HS256' })).get()
  assert.equal(statusCode, 400)
  assert.equal(json['error'], 'invalid_request')
  assert.equal(
    json['error_description'],
    'The jwtBuilder theBuilder signs with a shared secret key (HS256), so it has no public key.',
  )
})

test('an unknown route is 404, without a read', async () => {
  const publication = publishing(() => one)
  const paths = [
    '/',
    '/jwt/theBuilder',
    '/jwt//jwk',
    '/jwt/a/b/jwk',
    '/jwt/../jwk',
    '/jwt/a%2fb/jwk',
    '/jwt/a b/jwk',
    `/jwt/${'a'.repeat(129)}/jwk`,
    '/jwt/theBuilder/jwk/',
  ]
  for (const path of paths) assert.equal((await publication.get(path)).statusCode, 404, path)
  for (const method of ['POST', 'HEAD', 'DELETE'])
    assert.equal((await publication.get('/jwt/theBuilder/jwk', {}, method)).statusCode, 404, method)
  assert.deepEqual(publication.asked, [])
  assert.deepEqual(publication.log, [], 'nor does anybody fill the log')
})

test('a named stage of the HTTP API is not a part of the route', async () => {
  const publication = publishing(() => one)
  assert.equal((await publication.get('/some-stage/jwt/theBuilder/jwk', {}, 'GET', 'some-stage')).statusCode, 200)
  assert.equal(
    (await publication.get('/jwt/theBuilder/jwk', {}, 'GET', 'some-stage')).statusCode,
    200,
    'on its own domain',
  )
  assert.equal((await publication.get('/other/jwt/theBuilder/jwk', {}, 'GET', 'some-stage')).statusCode, 404)
})

test('while the store cannot be read, the answer is 503 with Retry-After', async () => {
  const failure = new CacheUnavailableError('The table does not answer.')
  const publication = publishing(() => {
    throw failure
  })
  const { statusCode, headers, json } = await publication.get()
  assert.equal(statusCode, 503)
  assert.equal(headers?.['retry-after'], '5')
  assert.equal(headers?.['cache-control'], 'no-store')
  assert.equal(json['error'], 'temporarily_unavailable')
  assert.doesNotMatch(JSON.stringify(json), /table/)
  assert.deepEqual(publication.log, [
    {
      event: 'request_failed',
      code: 'cache',
      status: 503,
      reason: failure.reason,
      requestId: 'the-request',
    },
  ])
})

test('an unexpected error is 500, without details', async () => {
  const publication = publishing(() => {
    throw new TypeError('hunter2')
  })
  const { statusCode, json } = await publication.get()
  assert.deepEqual([statusCode, json['error']], [500, 'server_error'])
  const [event] = publication.log
  assert(event?.event === 'request_failed')
  assert.deepEqual([event.code, event.status], ['unexpected', 500])
  assert.doesNotMatch(JSON.stringify([json, publication.log]), /hunter2/)
})

test('a rejected record is 503: nothing of it is served, and verifiers keep their sets', async () => {
  const publication = publishing(() => {
    throw new PublicationRefusedError('theBuilder', 'wrong_signature')
  })
  const { statusCode, headers, json } = await publication.get()
  assert.deepEqual([statusCode, headers?.['retry-after'], headers?.['cache-control']], [503, '5', 'no-store'])
  assert.doesNotMatch(JSON.stringify(json), /signature/)
  assert.deepEqual(
    publication.log.map((event) => event.event === 'request_failed' && event.code),
    ['publication_refused'],
  )
})

test('no private member is served, whatever the record contains', async () => {
  const publicKey = await thePublicationKey.publicKey()
  for (const algorithm of ['RS256', 'ES512', 'Ed25519', 'EdDSA'] as const) {
    const key = generateKey(algorithm, 2048).export({ format: 'jwk' })
    const more = { oth: [{ r: 'hunter2' }], k: 'hunter2', kid: 'a', publishedAt: 0, signsFrom: 1, priv: 'hunter2' }
    // A mistake in Tokenwell could write it: the record is signed.
    const jwks = JSON.stringify({ keys: [{ ...key, ...more }], d: 'hunter2' })
    const record = await signFields('theBuilder', { jwks }, start)
    const found = readPublication('theBuilder', record, publicKey, start)
    assert(found.kind === 'signed')
    const { body, json } = await publishing(() => found.publication).get()
    const [shown = {}] = json['keys'] as Record<string, string>[]
    const { kty, n, e, crv, x, y } = key
    assert.deepEqual(shown, JSON.parse(JSON.stringify({ kty, kid: 'a', n, e, crv, x, y })))
    for (const secret of ['hunter2', key.d, key.p, key.q, key.dp, key.dq, key.qi])
      assert.ok(secret === undefined || !String(body).includes(secret))
  }
})
