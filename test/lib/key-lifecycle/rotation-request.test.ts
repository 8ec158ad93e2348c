import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { readRotationRequest } from '../../../lib/key-lifecycle/rotate-key.ts'

const token = '51f72378-6a5d-5dc7-8fd8-29e4319f482a'
const arnOf = (name: string) => `arn:aws:secretsmanager:eu-central-1:123456789012:secret:${name}-a1B2c3`
const read = (changes: object) =>
  readRotationRequest(
    { Step: 'createSecret', SecretId: 'tokenwell/local/jwk/theBuilder', ClientRequestToken: token, ...changes },
    { stage: 'local' },
  )

test('the event of Secrets Manager names a step, a jwtBuilder and a version', () => {
  const expected = {
    step: 'createSecret',
    jwtBuilder: 'theBuilder',
    secretName: 'tokenwell/local/jwk/theBuilder',
    token,
  }
  assert.deepEqual(read({}), expected)
  assert.deepEqual(read({ SecretId: arnOf('tokenwell/local/jwk/theBuilder') }), expected)
  assert.deepEqual(
    read({
      SecretId: 'arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:tokenwell/local/jwk/theBuilder-a1B2c3',
    }),
    expected,
  )
  for (const step of ['setSecret', 'testSecret', 'finishSecret']) assert.equal(read({ Step: step }).step, step)
})

test('a secret name that ends like an ARN keeps its ending', () => {
  assert.equal(read({ SecretId: 'tokenwell/local/jwk/key-abcdef' }).jwtBuilder, 'key-abcdef')
  assert.equal(read({ SecretId: arnOf('tokenwell/local/jwk/key-abcdef') }).jwtBuilder, 'key-abcdef')
})

test('the rotation token is a secret', () => {
  const request = read({ RotationToken: 'hunter2' })
  assert.equal(request.rotationToken?.reveal(), 'hunter2')
  assert.doesNotMatch(inspect(request) + JSON.stringify(request), /hunter2/)
})

test('an event that is not valid is refused with the name of the member', () => {
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ Step: 'dropSecret' }, /^Step must be one of createSecret, setSecret, testSecret, finishSecret\.$/],
    [{ Step: undefined }, /^Step /],
    [{ ClientRequestToken: undefined }, /^ClientRequestToken /],
    [{ ClientRequestToken: '../../other' }, /^ClientRequestToken /],
    [{ ClientRequestToken: '' }, /^ClientRequestToken /],
    ...[
      'tokenwell/local/jwk/',
      'tokenwell/local/jwk/a/b',
      'tokenwell/local/jwk/..',
      'tokenwell/local/the-key',
      'tokenwell/prod/jwk/theBuilder',
      arnOf('tokenwell/prod/jwk/theBuilder'),
      '',
      undefined,
    ].map((SecretId): [object, RegExp] => [
      { SecretId },
      /^SecretId must name a secret tokenwell\/local\/jwk\/<jwtBuilder>/,
    ]),
  ]
  for (const [changes, message] of cases)
    assert.throws(() => read(changes), { name: 'RotationRefusedError', message }, JSON.stringify(changes))
  for (const event of [undefined, null, 'text', 1])
    assert.throws(() => readRotationRequest(event, { stage: 'local' }), { name: 'RotationRefusedError' })
})
