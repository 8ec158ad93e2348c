import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { SignJWT } from 'jose'
import { jwtBearer } from '../../../lib/configuration/grant-type.ts'
import type { ReceivedRequest } from '../../support/servers/scripted-token-endpoint.ts'
import { createStrictJwtBearer, type JwtBearerRules } from '../../support/servers/strict-jwt-bearer.ts'

/* The strict server itself: what it accepts, and that it refuses each deviation. The other tests rely on that. */

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const other = generateKeyPairSync('rsa', { modulusLength: 2048 })
const now = 1_800_000_000

const rules: JwtBearerRules = {
  sources: ['https://docs.digdir.no/docs/Maskinporten/maskinporten_protocol_jwtgrant'],
  algorithms: ['RS256'],
  audience: 'https://as.example/',
  issuer: 'theClient',
  subject: 'theUser',
  scopes: ['a', 'b'],
  resource: 'list',
  longestSeconds: 120,
  issuedWithinSeconds: 10,
  demandsKeyId: true,
  otherClaims: ['iat', 'jti'],
  answer: (scope) => ({ expires_in: 599, scope }),
}

interface Deviation {
  readonly header?: Record<string, unknown>
  readonly claims?: Record<string, unknown>
  readonly request?: Partial<ReceivedRequest>
  readonly form?: Record<string, string>
  readonly key?: typeof privateKey
  /** Changes the signed JWT. */
  readonly changed?: (jwt: string) => string
}

const valid = {
  iss: 'theClient',
  sub: 'theUser',
  aud: 'https://as.example/',
  scope: 'a b',
  resource: ['https://api.example/'],
  iat: now,
  exp: now + 120,
  jti: 'the-id',
}

async function requestWith({ header, claims, request, form, key = privateKey, changed = (jwt) => jwt }: Deviation) {
  const jwt = await new SignJWT(JSON.parse(JSON.stringify({ ...valid, ...claims })))
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: 'theKey', ...header })
    .sign(key)
  return {
    method: 'POST',
    url: '/token',
    content: '',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    form: new URLSearchParams({ grant_type: jwtBearer, assertion: changed(jwt), ...form }),
    ...request,
  }
}

function strictServer() {
  const server = createStrictJwtBearer(rules, () => now * 1000)
  server.register([{ ...publicKey.export({ format: 'jwk' }), kid: 'theKey' }])
  return server
}

const basic = { 'content-type': 'application/x-www-form-urlencoded', authorization: 'Basic dGhlQ2xpZW50OnNlY3JldA==' }

const deviations: Readonly<Record<string, readonly [Deviation, error: string]>> = {
  'a GET': [{ request: { method: 'GET' } }, 'invalid_request'],
  'a query': [{ request: { url: '/token?a=b' } }, 'invalid_request'],
  'JSON as content-type': [{ request: { headers: { 'content-type': 'application/json' } } }, 'invalid_request'],
  'HTTP Basic authentication': [{ request: { headers: basic } }, 'invalid_request'],
  'another grant type': [{ form: { grant_type: 'client_credentials' } }, 'unsupported_grant_type'],
  'a client secret': [{ form: { client_id: 'theClient', client_secret: 'a secret' } }, 'invalid_request'],
  'a client id': [{ form: { client_id: 'theClient' } }, 'invalid_request'],
  'a scope in the body': [{ form: { scope: 'a' } }, 'invalid_request'],
  'no JWT': [{ form: { assertion: 'a.b' } }, 'invalid_grant'],
  'another algorithm': [{ header: { alg: 'PS256' } }, 'invalid_grant'],
  'another type': [{ header: { typ: 'client-authentication+jwt' } }, 'invalid_grant'],
  'no kid': [{ header: { kid: undefined } }, 'invalid_grant'],
  'an unknown kid': [{ header: { kid: 'another' } }, 'invalid_grant'],
  'a further header': [{ header: { jku: 'https://as.example/jwks' } }, 'invalid_grant'],
  'a signature by another key': [{ key: other.privateKey }, 'invalid_grant'],
  'claims that were not signed': [
    {
      changed: (jwt) =>
        jwt.replace(/\.[^.]+\./, `.${Buffer.from(JSON.stringify({ ...valid, scope: 'a' })).toString('base64url')}.`),
    },
    'invalid_grant',
  ],
  'another issuer': [{ claims: { iss: 'another' } }, 'invalid_grant'],
  'another subject': [{ claims: { sub: 'theClient' } }, 'invalid_grant'],
  'no subject': [{ claims: { sub: undefined } }, 'invalid_grant'],
  'the token endpoint as audience': [{ claims: { aud: 'https://as.example/token' } }, 'invalid_grant'],
  'a list as audience': [{ claims: { aud: ['https://as.example/'] } }, 'invalid_grant'],
  'no scope': [{ claims: { scope: undefined } }, 'invalid_scope'],
  'scopes in a list': [{ claims: { scope: ['a', 'b'] } }, 'invalid_scope'],
  'scopes with commas': [{ claims: { scope: 'a,b' } }, 'invalid_scope'],
  'a scope of another client': [{ claims: { scope: 'a c' } }, 'invalid_scope'],
  'a resource as text': [{ claims: { resource: 'https://api.example/' } }, 'invalid_request'],
  'a claim nbf': [{ claims: { nbf: now } }, 'invalid_request'],
  'an end in the past': [{ claims: { iat: now - 9, exp: now } }, 'invalid_grant'],
  'no end': [{ claims: { exp: undefined } }, 'invalid_grant'],
  'a life of 121 s': [{ claims: { exp: now + 121 } }, 'invalid_grant'],
  'a begin 11 s ago': [{ claims: { iat: now - 11, exp: now + 60 } }, 'invalid_grant'],
  'a begin in 11 s': [{ claims: { iat: now + 11, exp: now + 60 } }, 'invalid_grant'],
  'no begin': [{ claims: { iat: undefined } }, 'invalid_grant'],
}

test('the strict server accepts what its rules say, and no assertion twice', async () => {
  const server = strictServer()
  const request = await requestWith({})
  const { status, body } = server.answerTo(request)
  assert.equal(status, undefined)
  assert.deepEqual(body, { access_token: 'strict-token-0', token_type: 'Bearer', expires_in: 599, scope: 'a b' })
  assert.deepEqual(
    [server.answerTo(request), server.answerTo(await requestWith({ claims: { scope: 'a' } }))].map(
      (again) => again.status,
    ),
    [400, 400],
    'by its text, and by its jti',
  )
})

for (const [deviation, [changes, error]] of Object.entries(deviations))
  test(`the strict server refuses ${deviation}`, async () => {
    const { status = 200, body } = strictServer().answerTo(await requestWith(changes))
    assert.ok(status >= 400, `status ${status}`)
    assert.equal((body as { error: string }).error, error)
  })
