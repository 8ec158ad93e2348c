import assert from 'node:assert/strict'
import { test } from 'node:test'
import { certificateCaller, iamCaller, jwtCaller, knownCallers } from '../../../lib/access-token/caller.ts'

test('all sessions of one role are one caller, and any other principal is its own caller', () => {
  const role = 'arn:aws:sts::111122223333:assumed-role/the-role'
  for (const session of ['a', 'someone@example.com', 'a/b', 'a\nb']) assert.equal(iamCaller(`${role}/${session}`), role)
  assert.equal(iamCaller('arn:aws-us-gov:sts::1:assumed-role/r/s'), 'arn:aws-us-gov:sts::1:assumed-role/r')
  for (const arn of [
    role,
    'arn:aws:iam::111122223333:user/path/alice',
    'arn:aws:sts::111122223333:federated-user/alice/x',
    `x${role}/a`,
    '',
  ])
    assert.equal(iamCaller(arn), arn)
})

test('a subject is a caller within its issuer, and no two of them have the same name', () => {
  assert.equal(jwtCaller('https://as.example', 'alice'), '["https://as.example","alice"]')
  const names = [
    jwtCaller('a', 'b'),
    jwtCaller('ab', ''),
    jwtCaller('', 'ab'),
    jwtCaller('a","b', ''),
    jwtCaller('b', 'a'),
  ]
  assert.equal(new Set(names).size, names.length)
})

test('the known callers have different names, and none of them can be the name of a subject', () => {
  assert.deepEqual(knownCallers, { direct: 'direct', local: 'local', tokenwell: 'tokenwell' })
})

test('the holder of a client certificate is named by issuer and subject, and is no subject of a JWT', () => {
  assert.equal(certificateCaller('CN=ca', 'CN=orders'), '["certificate","CN=ca","CN=orders"]')
  assert.notEqual(certificateCaller('CN=ca', 'CN=orders'), jwtCaller('CN=ca', 'CN=orders'))
})
