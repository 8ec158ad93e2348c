import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withoutRepetition } from '../../../lib/admission/repetition.ts'
import { tokenExchange } from '../../../lib/configuration/grant-type.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'

const { grant } = plainConnection
const parameters = {
  scope: ['a', 'b'],
  resource: ['https://api.example', 'https://b.example'],
  audience: 'aud',
  further: { tenant: 't', region: 'r' },
}
const plain = { connection: 'conn', further: {} }

test('a parameter that repeats the elements is left out, in any order and however often it is given', () => {
  for (const request of [
    { scope: ['a', 'b'] },
    { scope: ['b', 'a', 'b'] },
    { resource: ['https://b.example', 'https://api.example'] },
    { audience: 'aud' },
    { further: { tenant: 't' } },
    { scope: ['a', 'b'], further: { tenant: 't' } },
    { ...parameters, further: { region: 'r', tenant: 't' } },
  ])
    assert.deepEqual(withoutRepetition({ parameters, grant }, { ...plain, ...request }), plain)
})

test('a parameter that adds to the elements, or asks for a part of them, stays', () => {
  const further = { extra: 'x' }
  for (const added of [
    { scope: ['a'] },
    { scope: ['a', 'c'] },
    { scope: ['a', 'b', 'c'] },
    { scope: [] },
    { resource: ['https://api.example'] },
    { audience: 'other' },
    { audience: '' },
    { minimumSeconds: 5, rejectedTokenId: 'an-id' },
  ]) {
    const request = { ...plain, ...added, further: { ...further, tenant: 't' } }
    assert.deepEqual(withoutRepetition({ parameters, grant }, request), { ...plain, ...added, further })
  }
})

test('a request that repeats nothing is returned as the same object', () => {
  for (const request of [
    plain,
    { ...plain, further: { tenant: 'T' } },
    { ...plain, further: { toString: 't' } },
    { ...plain, scope: ['a'], resource: ['https://other.example'], audience: 'Aud', further: { a: 'b' } },
  ])
    assert.equal(withoutRepetition({ parameters, grant }, request), request)
  const nothing = { parameters: { scope: [], resource: [], further: {} }, grant }
  for (const request of [plain, { ...plain, scope: ['a'] }]) assert.equal(withoutRepetition(nothing, request), request)
  assert.deepEqual(withoutRepetition(nothing, { ...plain, scope: [], resource: [] }), plain)
})

test('the name of the main token is left out, and that of another one stays', () => {
  const main = { parameters: { scope: [], resource: [], further: {} }, grant }
  const other = { ...main, isFurther: true } as const
  const named = { ...plain, authentication: 'theConfig' }
  assert.deepEqual(withoutRepetition(main, named), plain)
  assert.ok(!('authentication' in withoutRepetition(main, named)))
  assert.equal(withoutRepetition(other, named), named)
  const repeating = withoutRepetition(other, { ...plain, scope: [] })
  assert.deepEqual(repeating, plain)
  assert.ok(!('authentication' in repeating))
})

test("the type of a caller's token is left out where it repeats the element's, and stays otherwise", () => {
  const token = new Secret('a-token')
  const exchange = {
    parameters: { ...parameters, further: {} },
    grant: { type: tokenExchange, subject: { type: 'urn:a' }, actor: { type: 'urn:b' } },
  } as const
  const bare = { ...plain, subjectToken: { token }, actorToken: { token } }
  const named = { ...plain, subjectToken: { token, type: 'urn:a' }, actorToken: { token, type: 'urn:b' } }
  assert.deepEqual(withoutRepetition(exchange, named), bare)
  assert.equal(withoutRepetition(exchange, bare), bare)
  const others = { ...plain, subjectToken: { token, type: 'urn:b' }, actorToken: { token, type: 'urn:a' } }
  assert.equal(withoutRepetition(exchange, others), others)
  const oneNamed = { ...plain, subjectToken: { token }, actorToken: { token, type: 'urn:b' } }
  assert.deepEqual(withoutRepetition(exchange, oneNamed), bare)
  const untyped = { ...exchange, grant: { type: tokenExchange, subject: {} } } as const
  assert.equal(withoutRepetition(untyped, named), named)
})
