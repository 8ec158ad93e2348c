import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { TokenRequest } from '../../../lib/access-token/token.ts'
import { tokenKey } from '../../../lib/access-token/token.ts'
import { Secret } from '../../../lib/secret/secret.ts'

/** Always the same requests, so that a failure shows the effect of a change only. */
const seed = 20_261_130

/** Few characters, so that two requests are often nearly the same: separators, quotation marks and capitals. */
const letters = ['a', 'b', 'ab', 'A', 'B', ',', '"', ' ', '\\', '[', ']']
const name = fc.array(fc.constantFrom(...letters), { minLength: 1, maxLength: 3 }).map((drawn) => drawn.join(''))
const names = fc.array(name, { minLength: 1, maxLength: 4 })

interface Fields extends Omit<TokenRequest, 'password'> {
  readonly password?: string
}

const fields: fc.Arbitrary<Fields> = fc.record(
  {
    connection: name,
    authentication: name,
    grantType: name,
    scope: names,
    resource: names,
    audience: name,
    username: name,
    password: name,
    further: fc.dictionary(name, name, { maxKeys: 3 }),
    subject: name,
    claims: fc.dictionary(name, name, { minKeys: 1, maxKeys: 3 }),
    userClaims: fc.dictionary(name, name, { minKeys: 1, maxKeys: 3 }),
    callersClaims: fc.dictionary(name, name, { maxKeys: 3 }),
    minimumSeconds: fc.nat(),
    rejectedTokenId: name,
  },
  { requiredKeys: ['connection', 'further'] },
)
const request = fields.map(toRequest)

function toRequest({ password, ...rest }: Fields): TokenRequest {
  return { ...rest, ...(password !== undefined && { password: new Secret(password) }) }
}

/** All requests that differ from this one by one small change. */
function neighboursOf(one: Fields): readonly Fields[] {
  const texts = ['connection', 'audience', 'username', 'password'] as const
  const lists = ['scope', 'resource'] as const
  return [
    ...texts.flatMap((field) => textsNear(one[field] ?? '').map((near) => ({ ...one, [field]: near }))),
    ...lists.flatMap((field) => listsNear(one[field] ?? []).map((near) => ({ ...one, [field]: near }))),
    ...listsNear(Object.entries(one.further).flat()).map((near) => ({ ...one, further: ofPairs(near) })),
    ...(['claims', 'userClaims'] as const).flatMap((field) =>
      listsNear(Object.entries(one[field] ?? {}).flat()).map((near) => ({ ...one, [field]: ofPairs(near) })),
    ),
    ...textsNear(one.subject ?? '').map((near) => ({ ...one, subject: near })),
    ...textsNear(one.authentication ?? '').map((near) => ({ ...one, authentication: near })),
    { ...one, authentication: one.subject ?? '', subject: one.authentication ?? '' },
    { ...one, authentication: one.audience ?? '', audience: one.authentication ?? '' },
    { ...one, claims: one.userClaims ?? {}, userClaims: one.claims ?? {} },
    { ...one, claims: one.further, further: one.claims ?? {} },
    { ...one, userClaims: { sub: one.subject ?? '' } },
    // The value of one field becomes the value of another.
    { ...one, scope: one.resource ?? [], resource: one.scope ?? [] },
    { ...one, audience: one.username ?? '', username: one.audience ?? '' },
    { ...one, username: one.password ?? '', password: one.username ?? '' },
    { ...one, further: ofPairs(['audience', one.audience ?? '']), audience: '' },
  ]
}

function textsNear(text: string): readonly string[] {
  const reversed = [...text].reverse().join('')
  return [text.toLowerCase(), text.toUpperCase(), text.trim(), text.slice(1), `${text}a`, `${text} `, reversed]
}

/** Two members joined, one split, one changed, one added, one removed, one moved. */
function listsNear(list: readonly string[]): readonly (readonly string[])[] {
  const [first = '', second = '', ...others] = list
  const separators = ['', ' ', ',', '","']
  return [
    ...separators.map((separator) => [first + separator + second, ...others]),
    ...separators.map((separator) => [...first.split(separator), ...list.slice(1)]),
    ...textsNear(first).map((near) => [near, ...list.slice(1)]),
    [...list, 'a'],
    list.slice(1),
    [...list.slice(1), ...list.slice(0, 1)],
  ]
}

/** An object of alternating names and values. */
function ofPairs(inTurn: readonly string[]): Record<string, string> {
  const pairs = inTurn.flatMap((key, index) => (index % 2 === 0 ? [[key, inTurn[index + 1] ?? '']] : []))
  return Object.fromEntries(pairs)
}

/** The content of a request in a form that can be compared. */
function asked({ scope, resource, password, further, ...rest }: TokenRequest): string {
  const { connection, authentication, audience, username, subject, claims, userClaims } = rest
  const hasClaims = [subject, claims, userClaims].some((each) => each !== undefined)
  const set = (values: readonly string[] = []) => [...new Set(values)].sort()
  const parameters = Object.keys(further)
    .sort()
    .map((key) => [key, further[key]])
  return JSON.stringify({
    connection,
    authentication,
    audience,
    username,
    password: password?.reveal(),
    scope: set(scope),
    resource: set(resource),
    parameters,
    ...(hasClaims && { subject, claims: sorted(claims), userClaims: sorted(userClaims) }),
  })
}

function sorted(values: Readonly<Record<string, string>> = {}): readonly (readonly [string, string])[] {
  return Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1))
}

test('two requests have the same token key if, and only if, they request the same token', () => {
  fc.assert(
    fc.property(fields, (drawn) => {
      const one = toRequest(drawn)
      for (const other of neighboursOf(drawn).map(toRequest))
        assert.equal(tokenKey(one) === tokenKey(other), asked(one) === asked(other), asked(other))
    }),
    { seed, numRuns: 500 },
  )
})

test('requests that read alike have different token keys: parts that are joined, split, or written in other case', () => {
  const base: TokenRequest = { connection: 'conn', further: {} }
  const alike: Record<string, readonly TokenRequest[]> = {
    scopes: [['a', 'b'], ['ab'], ['a b'], ['a,b'], ['a","b'], ['A', 'b']].map((scope) => ({ ...base, scope })),
    resources: [['a', 'b'], ['ab'], ['a b'], ['a,b'], ['a","b'], ['A', 'b']].map((resource) => ({ ...base, resource })),
    'scopes and resources': [
      { ...base, scope: ['a'], resource: ['b'] },
      { ...base, scope: ['a', 'b'] },
      { ...base, resource: ['a', 'b'] },
      { ...base, scope: ['b'], resource: ['a'] },
    ],
    'further parameters': [
      { a: 'b', c: 'd' },
      { a: 'bcd' },
      { a: 'b","c","d' },
      { ab: 'cd' },
      { a: 'c', b: 'd' },
      { A: 'b', c: 'd' },
      { a: 'B', c: 'd' },
    ].map((further) => ({ ...base, further })),
    'user and password': [
      { ...base, username: 'a', password: new Secret('b') },
      { ...base, username: 'ab' },
      { ...base, password: new Secret('ab') },
      { ...base, username: 'b', password: new Secret('a') },
      { ...base, username: 'A', password: new Secret('b') },
      { ...base, username: 'a', password: new Secret('B') },
    ],
    'claims, the user of the path and further parameters': [
      { ...base, subject: 'a' },
      { ...base, subject: 'A' },
      { ...base, claims: { sub: 'a' } },
      { ...base, userClaims: { sub: 'a' } },
      { ...base, userClaims: { sub: 'A' } },
      { ...base, further: { sub: 'a' } },
      { ...base, further: { 'claim.sub': 'a' } },
      { ...base, claims: { a: 'b', c: 'd' } },
      { ...base, claims: { a: 'b","c","d' } },
      { ...base, username: 'a' },
    ],
    'absent and empty': [
      base,
      { ...base, audience: '' },
      { ...base, username: '' },
      { ...base, password: new Secret('') },
    ],
  }
  for (const [what, requests] of Object.entries(alike))
    assert.equal(new Set(requests.map(tokenKey)).size, requests.length, what)
})

test('each field that can change the token changes the key', () => {
  const base: TokenRequest = { connection: 'conn', further: {} }
  const changed: TokenRequest[] = [
    { ...base, connection: 'other' },
    { ...base, scope: ['a'] },
    { ...base, scope: ['a', 'b'] },
    { ...base, scope: ['a b'] },
    { ...base, resource: ['a'] },
    { ...base, audience: 'a' },
    { ...base, username: 'a' },
    { ...base, password: new Secret('a') },
    { ...base, further: { a: 'b' } },
    { ...base, further: { a: 'c' } },
    { ...base, further: { a: 'b', c: 'd' } },
    { ...base, subject: 'a' },
    { ...base, claims: { a: 'b' } },
    { ...base, userClaims: { a: 'b' } },
    { ...base, authentication: 'a' },
    { ...base, authentication: 'b' },
  ]
  assert.equal(new Set([base, ...changed].map(tokenKey)).size, changed.length + 1)
})

test("the order of scopes, resources and parameters has no effect on the key, and Tokenwell's own parameters have none", () => {
  fc.assert(
    fc.property(request, (one) => {
      const { grantType: _grantType, minimumSeconds: _minimum, rejectedTokenId: _rejected, ...others } = one
      const { callersClaims: _callersClaims, ...rest } = others
      const other: TokenRequest = {
        ...rest,
        ...(one.scope && { scope: [...one.scope.toReversed(), ...one.scope] }),
        ...(one.resource && { resource: one.resource.toReversed() }),
        further: Object.fromEntries(Object.entries(one.further).toReversed()),
      }
      assert.equal(tokenKey(one), tokenKey(other))
    }),
    { seed },
  )
})

test('the form of a token key does not change, as two versions may share records', () => {
  const all: TokenRequest = {
    connection: 'conn',
    scope: ['b', 'a', 'b'],
    resource: ['https://b', 'https://a'],
    audience: 'the-audience',
    username: 'the-user',
    password: new Secret('the-password'),
    further: { z: '1', a: '2' },
  }
  assert.equal(
    tokenKey(all),
    '["conn",["a","b"],["https://a","https://b"],"the-audience","the-user","the-password",[["a","2"],["z","1"]]]',
  )
  assert.equal(tokenKey({ connection: 'conn', further: {} }), '["conn",[],[],null,null,null,[]]')
  const claims = { subject: 's', claims: { b: '1', a: '2' }, userClaims: { c: '3' } }
  assert.equal(
    tokenKey({ connection: 'conn', ...claims, further: {} }),
    '["conn",[],[],null,null,null,[],{"subject":"s","claims":[["a","2"],["b","1"]],"userClaims":[["c","3"]]}]',
  )
  assert.equal(
    tokenKey({ connection: 'conn', authentication: 'session', further: {} }),
    '["conn",[],[],null,null,null,[],{"authentication":"session"}]',
  )
})
