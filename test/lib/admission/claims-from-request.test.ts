import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isForUser, type TokenRequest, tokenKey } from '../../../lib/access-token/token.ts'
import { AccessDeniedError } from '../../../lib/admission/access-denied.ts'
import { admitRequest } from '../../../lib/admission/admit-request.ts'
import { readAskedRequest } from '../../../lib/admission/asked-request.ts'
import { withUserClaims } from '../../../lib/admission/claims-from-request.ts'
import { InvalidRequestError } from '../../../lib/admission/invalid-request.ts'
import type { ServedConnection } from '../../../lib/configuration/connection.ts'
import type { ClaimsFromRequest } from '../../../lib/configuration/element.ts'
import { ElementStoreError } from '../../../lib/configuration/element-store.ts'
import { jwtBearer } from '../../../lib/configuration/grant-type.ts'
import { plainAssertion, plainConnection } from '../../support/elements/plain-connection.ts'
import { unchangingConnections } from '../../support/virtual/virtual-ports.ts'

function taking(claimsFromRequest: ClaimsFromRequest): ServedConnection {
  const grant = { type: jwtBearer, assertion: plainAssertion(), assertionParameters: {}, claimsFromRequest } as const
  return { ...plainConnection, grant }
}
const asked = (request: Partial<TokenRequest> = {}): TokenRequest => ({ connection: 'conn', further: {}, ...request })
/** As a request from a caller is read and admitted. */
const admitted = (connection: ServedConnection, request: Partial<TokenRequest>) =>
  admitRequest(connection, withUserClaims(connection, asked(request))).claims

function refuses(
  connection: ServedConnection,
  request: Partial<TokenRequest>,
  message: RegExp,
  isDenied = false,
): void {
  assert.throws(
    () => admitted(connection, request),
    (error) => {
      assert.ok(error instanceof (isDenied ? AccessDeniedError : InvalidRequestError), String(error))
      assert.match(error.message, message)
      return true
    },
  )
}

const byPath = taking({ sub: true })
const ofStaff = taking({ sub: ['alice', 'bob'] })
const listed = taking({ box_sub_type: ['user', 'enterprise'], tenant: true })
const ofCaller = taking({ sub: { fromCaller: 'email' }, tenant: ['north'] })

test('the path names the user, and nothing else does', () => {
  assert.deepEqual(admitted(byPath, { subject: 'anybody' }), { sub: 'anybody' })
  assert.deepEqual(admitted(ofStaff, { subject: 'bob' }), { sub: 'bob' })
  refuses(ofStaff, { subject: 'carol' }, /^subject has a value that this connection does not allow/)
  refuses(ofStaff, { subject: 'Bob' }, /^subject has a value/)
  const needsPath = /^subject must be in the path: .* Send POST \/connections\/conn\/as\/\{subject\}\/token\.$/
  for (const request of [{}, { claims: { sub: 'bob' } }, { userClaims: { sub: 'bob' } }])
    for (const connection of [byPath, ofStaff]) refuses(connection, request, needsPath)
  refuses(byPath, { subject: 'anybody', claims: { sub: 'bob' } }, needsPath)
})

test('a connection that leaves no user to the request takes none', () => {
  const closed = /^subject cannot be named for this connection\. Send POST \/connections\/conn\/token\.$/
  for (const connection of [plainConnection, listed, taking({ tenant: true })])
    refuses(connection, { subject: 'bob' }, closed)
  const own = { callersClaims: { email: 'bob' }, claims: { tenant: 'north' } }
  refuses(ofCaller, { ...own, subject: 'bob' }, closed)
})

test('a request must set each claim, to a listed value or with true to any, and no other claim', () => {
  const claims = { box_sub_type: 'user', tenant: 'anything at all' }
  assert.deepEqual(admitted(listed, { claims }), claims)
  refuses(
    listed,
    { claims: { ...claims, box_sub_type: 'admin' } },
    /^claim\.box_sub_type has a value that this connection/,
  )
  refuses(
    listed,
    { claims: { tenant: 'x' } },
    /^claim\.box_sub_type is missing\. A request for this connection must have it\.$/,
  )
  refuses(listed, { claims: { box_sub_type: 'user' } }, /^claim\.tenant is missing/)
  refuses(listed, {}, /^claim\.box_sub_type is missing/)
  for (const name of ['other', 'constructor', '__proto__', 'iss'])
    refuses(
      listed,
      { claims: JSON.parse(`{"box_sub_type":"user","tenant":"x","${name}":"x"}`) },
      /cannot be set by a request/,
    )
  refuses(plainConnection, { claims: { tenant: 'x' } }, /^claim\.tenant cannot be set by a request for this connection/)
  refuses(listed, { claims: { ...claims, tenant: 'a\nb' } }, /^claim\.tenant has a value/)
})

test("the caller's JWT decides a claim with fromCaller, and the request can't", () => {
  const own = { callersClaims: { email: 'bob@example.com', other: 'x' }, claims: { tenant: 'north' } }
  assert.deepEqual(admitted(ofCaller, own), { sub: 'bob@example.com', tenant: 'north' })
  refuses(
    ofCaller,
    { ...own, claims: { tenant: 'north', sub: 'eve' } },
    /^claim\.sub cannot be sent: the JWT of the caller decides it/,
  )
  refuses(
    ofCaller,
    { claims: { tenant: 'north' } },
    /takes the claim email from the JWT of its caller, and this caller has no JWT/,
    true,
  )
  for (const callersClaims of [{}, { email: '' }, { email: '[a b]' }, { email: 'a\nb' }, { Email: 'bob' }])
    refuses(ofCaller, { ...own, callersClaims }, /this JWT has no such claim that is one text/, true)
  refuses(taking({ sub: { fromCaller: 'constructor' } }), { callersClaims: {} }, /has no such claim/, true)
  for (const email of ['[a]b', 'b[a]', '[', 'a]'])
    assert.equal(admitted(ofCaller, { ...own, callersClaims: { email } })?.['sub'], email, 'it is no list')
})

test('a value that was read from other elements than those in force is not admitted', () => {
  const request = asked({ callersClaims: { email: 'bob', upn: 'robert' }, userClaims: { sub: 'bob' } })
  assert.deepEqual(admitRequest(taking({ sub: { fromCaller: 'email' } }), request).claims, { sub: 'bob' })
  for (const rule of [{ fromCaller: 'upn' }, true, ['bob']] as const)
    assert.throws(() => admitRequest(taking({ sub: rule }), request), InvalidRequestError)
  const { callersClaims: _, ...withoutJwt } = request
  assert.throws(() => admitRequest(taking({ sub: { fromCaller: 'email' } }), withoutJwt), AccessDeniedError)
  const free = asked({ userClaims: { tenant: 'x' } })
  assert.throws(() => admitRequest(taking({ tenant: ['x'] }), free), InvalidRequestError)
  assert.throws(() => admitRequest(taking({ tenant: true }), asked({ claims: { tenant: 'x' } })), InvalidRequestError)
})

test('a claim whose values the elements do not list is treated as the name of a user', () => {
  const read = withUserClaims(listed, asked({ claims: { box_sub_type: 'user', tenant: 'x' } }))
  assert.deepEqual([read.claims, read.userClaims], [{ box_sub_type: 'user' }, { tenant: 'x' }])
  assert.equal(isForUser(read), true)
  const freeOnly = withUserClaims(taking({ tenant: true }), asked({ claims: { tenant: 'x' } }))
  assert.deepEqual(freeOnly, asked({ userClaims: { tenant: 'x' } }))
  const plain = asked({ claims: { box_sub_type: 'user' } })
  assert.equal(withUserClaims(taking({ box_sub_type: ['user'] }), plain), plain)
  assert.equal(isForUser(plain), false)
  assert.equal(isForUser(asked({ subject: 'x' })), true)
})

test('two callers whose JWTs differ in that claim have different token keys, and share one otherwise', async () => {
  const keyOf = async (callersClaims: Record<string, string>) => {
    const request = asked({ callersClaims, claims: { tenant: 'north' } })
    return tokenKey((await readAskedRequest(unchangingConnections(ofCaller), request)).request)
  }
  assert.notEqual(await keyOf({ email: 'alice' }), await keyOf({ email: 'bob' }))
  assert.equal(await keyOf({ email: 'alice', jti: '1' }), await keyOf({ email: 'alice', jti: '2' }))
})

test("elements are read for a caller with a JWT only where they are not cached, or take a claim of the caller's", async () => {
  const rows: readonly (readonly [ServedConnection | undefined, number])[] = [
    [plainConnection, 0],
    [listed, 0],
    [ofCaller, 1],
    [undefined, 1],
  ]
  for (const [cached, reads] of rows) {
    let gets = 0
    const known = unchangingConnections(cached ?? plainConnection)
    const get: typeof known.get = async (name) => {
      gets++
      return await known.get(name)
    }
    const connections = { ...known, peek: () => cached, get }
    await readAskedRequest(connections, asked({ callersClaims: { email: 'bob' } }))
    assert.equal(gets, reads)
    await readAskedRequest(connections, asked())
    assert.equal(gets, reads, 'and never for a caller without one')
  }
})

test('without readable elements a request with claims fails, and one of a caller with a JWT may still find a token', async () => {
  const unreadable = {
    ...unchangingConnections(plainConnection),
    get: () => Promise.reject(new ElementStoreError('elements_unreachable', 'no elements')),
    peek: () => undefined,
  }
  await assert.rejects(readAskedRequest(unreadable, asked({ claims: { tenant: 'x' } })), ElementStoreError)
  const plain = asked({ callersClaims: { email: 'bob' } })
  assert.equal((await readAskedRequest(unreadable, plain)).request, plain)
})
