import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { TokenRequest } from '../../../lib/access-token/token.ts'
import { tokenKey } from '../../../lib/access-token/token.ts'
import { Secret } from '../../../lib/secret/secret.ts'

const name = fc.string({ minLength: 1, maxLength: 6 })
const names = fc.array(name, { minLength: 1, maxLength: 4 })
const request: fc.Arbitrary<TokenRequest> = fc
  .record(
    {
      connection: name,
      grantType: name,
      scope: names,
      resource: names,
      audience: name,
      username: name,
      password: name,
      further: fc.dictionary(name, name),
      minimumSeconds: fc.nat(),
      rejectedTokenId: name,
    },
    { requiredKeys: ['connection', 'further'] },
  )
  .map(({ password, ...rest }) => ({ ...rest, ...(password !== undefined && { password: new Secret(password) }) }))

/** What a request asks for, as a reader would compare it. */
function asked({ scope, resource, password, further, ...rest }: TokenRequest): string {
  const { connection, audience, username } = rest
  const set = (values: readonly string[] = []) => [...new Set(values)].sort()
  const parameters = Object.keys(further)
    .sort()
    .map((key) => [key, further[key]])
  return JSON.stringify({
    connection,
    audience,
    username,
    password: password?.reveal(),
    scope: set(scope),
    resource: set(resource),
    parameters,
  })
}

test('two requests have the same token key if, and only if, they ask for the same token', () => {
  fc.assert(
    fc.property(request, request, (one, other) => {
      assert.equal(tokenKey(one) === tokenKey(other), asked(one) === asked(other))
    }),
    { numRuns: 2000 },
  )
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
  ]
  assert.equal(new Set([base, ...changed].map(tokenKey)).size, changed.length + 1)
})

test('the order of scopes, resources and parameters changes nothing, nor does what is only ours', () => {
  fc.assert(
    fc.property(request, (one) => {
      const { grantType: _grantType, minimumSeconds: _minimum, rejectedTokenId: _rejected, ...rest } = one
      const other: TokenRequest = {
        ...rest,
        ...(one.scope && { scope: [...one.scope.toReversed(), ...one.scope] }),
        ...(one.resource && { resource: one.resource.toReversed() }),
        further: Object.fromEntries(Object.entries(one.further).toReversed()),
      }
      assert.equal(tokenKey(one), tokenKey(other))
    }),
  )
})
