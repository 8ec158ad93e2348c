import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { kinds } from '../../../lib/configuration/element.ts'
import type { TokenwellEvent } from '../../../lib/events/event-bus.ts'
import { asEventbridgeEvent } from '../../../lib/events/event-bus.ts'
import { readIncomingEvent, UnreadableEventError } from '../../../lib/renewal/incoming-event.ts'

const tokenId = `${'a'.repeat(22)}.${'b'.repeat(43)}`
const read = (input: unknown) => readIncomingEvent(input, 'prod')

/** The members that EventBridge adds. */
const envelope = {
  version: '0',
  id: '6a7e8feb-b491-4cf7-a9f1-bf3703467718',
  account: '111122223333',
  time: '2026-11-24T16:43:48Z',
  region: 'eu-central-1',
}

/** An example of the manual of Systems Manager. */
function someParameterChange(name: unknown, operation = 'Update') {
  return {
    ...envelope,
    'detail-type': 'Parameter Store Change',
    source: 'aws.ssm',
    resources: [`arn:aws:ssm:eu-central-1:111122223333:parameter${String(name)}`],
    detail: { operation, name, type: 'String', description: 'Sample Parameter' },
  }
}

/** An example of the manual of Secrets Manager. */
function someSecretChange(name: unknown, labelUpdated: unknown = 'AWSCURRENT') {
  return {
    ...envelope,
    'detail-type': 'Secret Label Updated',
    source: 'aws.secretsmanager',
    resources: [`arn:aws:secretsmanager:eu-central-1:111122223333:secret:${String(name)}-a1b2c3`],
    detail: { name, labelUpdated, versionId: 'a1b2c3d4-5678-90ab-cdef-EXAMPLE11111' },
  }
}

function someOwnEvent(type: string, detail?: unknown, source = 'tokenwell-prod') {
  return { ...envelope, source, 'detail-type': type, resources: [], ...(detail !== undefined && { detail }) }
}

function unreadable(input: unknown, message: RegExp): void {
  assert.throws(
    () => read(input),
    (error) => {
      assert.ok(error instanceof UnreadableEventError, inspect(error))
      assert.equal(error.code, 'unreadable_event')
      assert.match(error.message, message)
      assert.doesNotMatch(inspect(error, { depth: 9, showHidden: true }), /hunter2/)
      return true
    },
  )
}

test('an event is read as it was raised, from an object and from the JSON of a message', () => {
  const events: TokenwellEvent[] = [
    { type: 'TokenRefreshRequested', connection: 'conn', tokenId },
    { type: 'TokenRejected', connection: 'my.conn-1_a', tokenId: 'a'.repeat(22) },
    { type: 'ConnectionChanged', connection: 'conn' },
  ]
  for (const event of events) {
    const raised = { ...envelope, resources: [], ...asEventbridgeEvent(event, 'tokenwell-prod') }
    assert.deepEqual(read(raised), event)
    assert.deepEqual(read(JSON.stringify(raised)), event)
  }
})

test('an event of Tokenwell has its type as detail type and all other members as detail', () => {
  assert.deepEqual(asEventbridgeEvent({ type: 'TokenRejected', connection: 'conn', tokenId }, 'tokenwell-prod'), {
    source: 'tokenwell-prod',
    'detail-type': 'TokenRejected',
    detail: { connection: 'conn', tokenId },
  })
})

test('an event that reports what Tokenwell did is ignored', () => {
  const events: TokenwellEvent[] = [
    { type: 'TokenRefreshed', connection: 'conn', tokenId, expiresAt: 1_800_000_000 },
    { type: 'TokenRefreshFailed', connection: 'conn', code: 'unreachable' },
    { type: 'ConnectionRefused', connection: 'conn', error: 'invalid_client' },
  ]
  for (const event of events) assert.equal(read(asEventbridgeEvent(event, 'tokenwell-prod')).type, 'Ignored')
})

test("on Tokenwell's bus any source is accepted, and unknown members are ignored", () => {
  const detail = { connection: 'conn', tokenId, since: 'yesterday' }
  for (const source of ['tokenwell-prod', 'my.api', ''])
    assert.deepEqual(read(someOwnEvent('TokenRejected', detail, source)), {
      type: 'TokenRejected',
      connection: 'conn',
      tokenId,
    })
})

test('ClearTokenCache has one connection, or none for all connections', () => {
  const one = { type: 'ClearTokenCache', connection: 'conn' }
  assert.deepEqual(read(someOwnEvent('ClearTokenCache', { connection: 'conn' })), one)
  assert.deepEqual(read(someOwnEvent('ClearTokenCache', {})), { type: 'ClearTokenCache' })
  assert.deepEqual(read(someOwnEvent('ClearTokenCache')), { type: 'ClearTokenCache' })
})

test('RevokeKey has a jwtBuilder and a kid, and no other member', () => {
  const detail = { jwtBuilder: 'my.Builder-1_a', kid: 'a kid / of "any" characters' }
  assert.deepEqual(read(someOwnEvent('RevokeKey', detail, 'operator')), { type: 'RevokeKey', ...detail })
  for (const wrong of [
    {},
    { kid: 'k' },
    { jwtBuilder: 'b' },
    { jwtBuilder: 'a/b', kid: 'k' },
    { jwtBuilder: 7, kid: 'k' },
  ])
    unreadable(someOwnEvent('RevokeKey', wrong), /: detail\.(jwtBuilder|kid) must be/)
  for (const kid of [null, 7, '', ['k'], 'hunter2'.repeat(37)])
    unreadable(someOwnEvent('RevokeKey', { jwtBuilder: 'b', kid }), /: detail\.kid must be/)
  for (const more of [{ kids: ['hunter2'] }, { Kid: 'hunter2' }, { connection: 'hunter2' }])
    unreadable(
      someOwnEvent('RevokeKey', { jwtBuilder: 'b', kid: 'k', ...more }),
      /of RevokeKey may contain only jwtBuilder and kid\.$/,
    )
  unreadable(someOwnEvent('RevokeKey'), /: detail must be/)
})

test('a misspelt member does not clear the cache of all connections', () => {
  for (const detail of [{ Connection: 'conn' }, { connection: 'conn', connections: 'hunter2' }, { hunter2: true }])
    unreadable(someOwnEvent('ClearTokenCache', detail), /: detail of ClearTokenCache may contain only connection\.$/)
  for (const connection of [null, '', '*', ['conn'], 7])
    unreadable(someOwnEvent('ClearTokenCache', { connection }), /: detail\.connection must be/)
  for (const detail of [null, 'conn', ['conn']])
    unreadable(someOwnEvent('ClearTokenCache', detail), /: detail must be a JSON object\.$/)
})

test('the schedule needs no detail and no source', () => {
  assert.deepEqual(read({ 'detail-type': 'ReconcileElements' }), { type: 'ReconcileElements' })
  assert.deepEqual(read(someOwnEvent('ReconcileElements', {})), { type: 'ReconcileElements' })
})

test('every operation on a parameter of this stage is a change of its element', () => {
  for (const operation of ['Create', 'Update', 'Delete', 'LabelParameterVersion'])
    for (const kind of kinds)
      assert.deepEqual(read(someParameterChange(`/tokenwell/prod/${kind}/my.id-1_a`, operation)), {
        type: 'ElementChanged',
        kind,
        id: 'my.id-1_a',
      })
})

test('a parameter that is not an element of this stage is ignored with a reason', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['golden-ami', /not an element of this stage/],
    ['/tokenwell/test/jwtBuilder/b', /not an element of this stage/],
    ['/tokenwell/prod-2/jwtBuilder/b', /not an element of this stage/],
    ['/other/tokenwell/prod/jwtBuilder/b', /not an element of this stage/],
    ['tokenwell/prod/jwtBuilder/b', /not an element of this stage/],
    ['/tokenwell/prod/jwtBuilder', /not <kind>\/<id>/],
    ['/tokenwell/prod/jwtBuilder/', /not <kind>\/<id>/],
    ['/tokenwell/prod/jwtBuilder/b/c', /not <kind>\/<id>/],
    ['/tokenwell/prod/jwtBuilder/..', /not <kind>\/<id>/],
    ['/tokenwell/prod/jwtBuilder/a b', /not <kind>\/<id>/],
    ['/tokenwell/prod/jwtbuilder/b', /kind of element does not exist/],
    ['/tokenwell/prod/constructor/b', /kind of element does not exist/],
  ]
  for (const [name, why] of cases) {
    const event = read(someParameterChange(name))
    assert.ok(event.type === 'Ignored', `${name}: ${event.type}`)
    assert.match(event.why, why, name)
  }
})

test('a secret of this stage has changed when it has a new current version', () => {
  for (const name of ['tokenwell/prod/k', 'tokenwell/prod/jwk/the-builder', 'tokenwell/prod/cache'])
    assert.deepEqual(read(someSecretChange(name)), { type: 'SecretChanged', name })
})

test('a secret of another stage, or with another moved label, is ignored with a reason', () => {
  const cases: readonly (readonly [object, RegExp])[] = [
    [someSecretChange('tokenwell/prod/k', 'MyLabel'), /not AWSCURRENT/],
    [someSecretChange('tokenwell/prod/k', 'awscurrent'), /not AWSCURRENT/],
    [someSecretChange('tokenwell/test/k'), /does not belong to this stage/],
    [someSecretChange('tokenwell/prod-2/k'), /does not belong to this stage/],
    [someSecretChange('tokenwell/prod/'), /does not belong to this stage/],
    [someSecretChange('tokenwell/prod/../test/k'), /does not belong to this stage/],
    [someSecretChange('mySecret'), /does not belong to this stage/],
  ]
  for (const [input, reason] of cases) {
    const event = read(input)
    assert.ok(event.type === 'Ignored', event.type)
    assert.match(event.why, reason)
  }
})

test('anything that is not an event is unreadable', () => {
  for (const input of [undefined, null, 7, [], [someOwnEvent('ReconcileElements')], '"hunter2"', 'null', '[]'])
    unreadable(input, /^The event cannot be read: it must be a JSON object\.$/)
  for (const input of ['', 'hunter2', '{"detail-type":"hunter2"', '['.repeat(100_000)])
    unreadable(input, /^The event cannot be read: it is not valid JSON\.$/)
  for (const input of [{}, { 'detail-type': ['ReconcileElements'] }, { detailType: 'ReconcileElements' }])
    unreadable(input, /: detail-type must be a string\.$/)
})

test('an unknown type is unreadable, and so is a known type from a wrong source', () => {
  const inputs = [
    someOwnEvent('hunter2', { connection: 'conn' }),
    someOwnEvent('tokenRejected', { connection: 'conn', tokenId }),
    someOwnEvent('toString', {}),
    someOwnEvent('Ignored', { why: 'hunter2' }),
    { ...someParameterChange('/tokenwell/prod/jwtBuilder/b'), source: 'tokenwell-prod' },
    { ...someSecretChange('tokenwell/prod/k'), source: 'aws.ssm' },
    { ...someParameterChange('/tokenwell/prod/jwtBuilder/b'), source: 'aws.secretsmanager' },
    { ...someSecretChange('tokenwell/prod/k'), 'detail-type': 'AWS API Call via CloudTrail' },
    { ...someParameterChange('/tokenwell/prod/jwtBuilder/b'), 'detail-type': 'TokenRejected' },
  ]
  for (const input of inputs)
    unreadable(input, /: detail-type is not a type that Tokenwell accepts from this source\.$/)
})

test('the error names a missing or wrong member, and does not repeat its value', () => {
  const wrong = [undefined, null, '', 7, {}, [], 'hunter2 hunter2', '../hunter2', 'hunter2\n']
  for (const value of wrong) {
    unreadable(someOwnEvent('TokenRejected', { connection: value, tokenId }), /: detail\.connection must be the name/)
    unreadable(someOwnEvent('ConnectionChanged', { connection: value }), /: detail\.connection must be the name/)
    for (const type of ['TokenRejected', 'TokenRefreshRequested'])
      unreadable(
        someOwnEvent(type, { connection: 'conn', tokenId: value }),
        /: detail\.tokenId must be a token_id that Tokenwell returned/,
      )
  }
  for (const value of [undefined, null, 7, {}, ['hunter2']]) {
    unreadable(someParameterChange(value), /: detail\.name must be a string\.$/)
    unreadable(someSecretChange(value), /: detail\.name must be a string\.$/)
  }
  for (const value of [null, 7, ['AWSCURRENT']])
    unreadable(someSecretChange('tokenwell/prod/k', value), /: detail\.labelUpdated must be a string\.$/)
})

test('a detail that is not an object is unreadable', () => {
  const withDetail = [someParameterChange('/tokenwell/prod/jwtBuilder/b'), someSecretChange('tokenwell/prod/k')]
  const own = ['TokenRefreshRequested', 'TokenRejected', 'ConnectionChanged'].map((type) => someOwnEvent(type))
  for (const event of [...withDetail, ...own])
    for (const detail of [undefined, null, '{"connection":"hunter2"}', ['hunter2']])
      unreadable({ ...event, detail }, /: detail must be a JSON object\.$/)
})
