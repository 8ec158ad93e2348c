import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AssertionMoment, createClaims, signAssertion } from '../../../lib/signing/assertion.ts'
import { plainAssertion } from '../../support/elements/plain-connection.ts'
import { theSigner } from '../../support/virtual/virtual-ports.ts'

/** A time inside a second, so that rounding shows. */
const theMoment: AssertionMoment = { now: 1_700_000_000_999, jwtId: 'theJwtId' }
const theSecond = 1_700_000_000

test('a plain assertion has iss, aud, exp, jti, sub and iat, and no other claim', () => {
  assert.deepEqual(createClaims(plainAssertion(), theMoment), {
    iss: 'theIssuer',
    aud: 'https://as.example',
    exp: theSecond + 120,
    jti: 'theJwtId',
    sub: 'theClient',
    iat: theSecond,
  })
})

test('iat, nbf and exp are whole seconds from one reading of the clock', () => {
  const assertion = plainAssertion({ notBeforeOffsetSeconds: 0, expiresInSeconds: 60 })
  for (const now of [1_700_000_000_000, 1_700_000_000_001, 1_700_000_000_999]) {
    const { iat, nbf, exp } = createClaims(assertion, { ...theMoment, now })
    assert.deepEqual({ iat, nbf, exp }, { iat: theSecond, nbf: theSecond, exp: theSecond + 60 })
  }
})

test('the same configuration at the same time makes the same claims, and the configuration does not change', () => {
  const assertion = plainAssertion({ claims: { sub: 'another', iss: 'another' }, notBeforeOffsetSeconds: 3 })
  const before = structuredClone(assertion)
  assert.deepEqual(createClaims(assertion, theMoment), createClaims(assertion, theMoment))
  assert.deepEqual(assertion, before)
})

test('sub is the client id and iat the time of signing, whatever the configured claims are', () => {
  const claims = createClaims(plainAssertion({ claims: { sub: 'anotherClient', iat: 1 } }), theMoment)
  assert.equal(claims['sub'], 'theClient')
  assert.equal(claims['iat'], theSecond)
})

for (const [claim, value] of Object.entries({
  iss: 'anotherIssuer',
  aud: ['https://one.example', 'https://other.example'],
  exp: 4_102_444_800,
  nbf: 1_600_000_000,
  jti: 'anotherJwtId',
}))
  test(`${claim} in claims overwrites the one of the jwtBuilder`, () => {
    const assertion = plainAssertion({ claims: { [claim]: value }, notBeforeOffsetSeconds: 5 })
    assert.deepEqual(createClaims(assertion, theMoment)[claim], value)
  })

test('unregistered claims are in the assertion as the operator wrote them', () => {
  const claims = { tenant: 'blue', roles: ['reader', 'writer'], nested: { deep: [1, null, true] } }
  assert.deepEqual(createClaims(plainAssertion({ claims }), theMoment), {
    ...createClaims(plainAssertion(), theMoment),
    ...claims,
  })
})

test('one audience is a string, several are a list in their order', () => {
  assert.equal(
    createClaims(plainAssertion({ audiences: ['https://b.example'] }), theMoment)['aud'],
    'https://b.example',
  )
  const audiences = ['https://b.example', 'https://a.example']
  assert.deepEqual(createClaims(plainAssertion({ audiences }), theMoment)['aud'], audiences)
})

test('without audiences there is no aud', () => {
  assert.ok(!('aud' in createClaims(plainAssertion({ audiences: [] }), theMoment)))
})

test('without audiences a configured aud claim still counts', () => {
  const assertion = plainAssertion({ audiences: [], claims: { aud: 'https://claimed.example' } })
  assert.equal(createClaims(assertion, theMoment)['aud'], 'https://claimed.example')
})

test('nbf is present only when its offset is configured, also as 0', () => {
  assert.ok(!('nbf' in createClaims(plainAssertion(), theMoment)))
  assert.equal(createClaims(plainAssertion({ notBeforeOffsetSeconds: 0 }), theMoment)['nbf'], theSecond)
})

test('nbf is iat plus its offset', () => {
  for (const issuedAtOffsetSeconds of [0, -10, 4]) {
    const assertion = plainAssertion({ issuedAtOffsetSeconds, notBeforeOffsetSeconds: 7 })
    const { iat, nbf } = createClaims(assertion, theMoment)
    assert.equal(nbf, Number(iat) + 7)
  }
})

test('a negative issuedAtOffset makes iat earlier and leaves exp unchanged', () => {
  const { iat, exp } = createClaims(plainAssertion({ issuedAtOffsetSeconds: -5 }), theMoment)
  assert.deepEqual({ iat, exp }, { iat: theSecond - 5, exp: theSecond + 120 })
})

test('jti is the given id, so that two assertions never share one', () => {
  const ids = ['one', 'other'].map((jwtId) => createClaims(plainAssertion(), { ...theMoment, jwtId })['jti'])
  assert.deepEqual(ids, ['one', 'other'])
})

test('jti is absent where the jwtBuilder switches it off', () => {
  assert.ok(!('jti' in createClaims(plainAssertion({ hasJwtId: false }), theMoment)))
})

test('scope is a claim only where the jwtBuilder sets it', () => {
  assert.equal(createClaims(plainAssertion({ scope: 'read write' }), theMoment)['scope'], 'read write')
  assert.ok(!('scope' in createClaims(plainAssertion(), theMoment)))
})

test('no assertion has a token_type', () => {
  const everything = plainAssertion({
    scope: 'read',
    notBeforeOffsetSeconds: 0,
    issuedAtOffsetSeconds: -1,
    audiences: ['https://a.example', 'https://b.example'],
    claims: { tenant: 'blue' },
  })
  for (const assertion of [plainAssertion(), everything])
    assert.ok(!('token_type' in createClaims(assertion, theMoment)))
})

test('each claim that omit names is absent, and no other', () => {
  const full = plainAssertion({ notBeforeOffsetSeconds: 0 })
  const all = createClaims(full, theMoment)
  for (const name of ['iss', 'sub', 'nbf', 'iat', 'jti'] as const) {
    const { [name]: _omitted, ...others } = all
    assert.deepEqual(createClaims({ ...full, omitted: [name] }, theMoment), others)
  }
  const bare = createClaims({ ...full, omitted: ['iss', 'sub', 'nbf', 'iat', 'jti', 'kid'] }, theMoment)
  assert.deepEqual(bare, { aud: 'https://as.example', exp: theSecond + 120 })
})

test('a server accepts an assertion without iat and nbf from the beginning of time', async () => {
  const validityOf = async (changes: Parameters<typeof plainAssertion>[0]) =>
    (await signAssertion(plainAssertion(changes), theSigner, theMoment)).validity
  const until = (theSecond + 120) * 1000
  assert.deepEqual(await validityOf({}), { from: theSecond * 1000, until })
  assert.deepEqual(await validityOf({ omitted: ['iat'] }), { from: 0, until })
  assert.deepEqual(await validityOf({ omitted: ['iat'], notBeforeOffsetSeconds: 2 }), {
    from: (theSecond + 2) * 1000,
    until,
  })
})

test('scope in claims may be a list', () => {
  const scope = ['GET /v1/apps', 'GET /v1/builds']
  assert.deepEqual(createClaims(plainAssertion({ claims: { scope } }), theMoment)['scope'], scope)
})
