import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Secret } from '../../../lib/secret/secret.ts'
import { prepareWebIdentity, WebIdentityError } from '../../../lib/signing/web-identity.ts'

const request = {
  awsWebIdentity: 'theIdentity',
  audiences: ['https://as.example'],
  algorithm: 'ES384',
  durationSeconds: 300,
  tags: {},
  hasOwnRole: false,
  connection: 'conn',
} as const
const moment = { now: 0, jwtId: 'unused' }
const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

test('each use of a maker has another JWT, and the first is there before it is used', async () => {
  let asked = 0
  const token = async () => new Secret(`${encoded({ alg: 'ES384' })}.${encoded({ jti: String(asked++), exp: 2 })}.c2ln`)
  const maker = await prepareWebIdentity({ token }, request)
  assert.equal(asked, 1)
  const made = [await maker.make(moment), await maker.make(moment), await maker.make(moment)]
  assert.deepEqual(
    made.map(({ claims }) => claims['jti']),
    ['0', '1', '2'],
  )
  assert.equal(made[0]?.validity.until, 2_000)
})

test('a text that is not a JWT is a passing failure that does not repeat it', async () => {
  const failure = await prepareWebIdentity({ token: async () => new Secret('not.a-jwt') }, request).catch(
    (error: unknown) => error,
  )
  assert.ok(failure instanceof WebIdentityError && failure.isPassing)
  assert.doesNotMatch(failure.message, /not\.a-jwt/)
})
