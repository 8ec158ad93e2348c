import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InvalidRequestError } from '../../../lib/admission/invalid-request.ts'
import { demandSendable, demandSendableParameters } from '../../../lib/admission/sendable-credentials.ts'
import type { AuthTokenGrant, AuthTokenRequest } from '../../../lib/configuration/auth-token.ts'
import type { Grant } from '../../../lib/configuration/connection.ts'
import { Secret } from '../../../lib/secret/secret.ts'

const grantOf = (request: Partial<AuthTokenRequest>): AuthTokenGrant => ({
  type: 'authToken',
  request: { method: 'POST', credentials: { in: 'body' }, credentialsFrom: 'caller', ...request },
  response: { token: { in: 'text' } },
  reuse: 'all',
})
const inHeader = grantOf({ credentials: { in: 'header', header: 'authorization' } })
const inTwoHeaders = grantOf({
  credentials: { in: 'named_headers', userHeader: 'x-user', passwordHeader: 'x-password' },
})
const inBody = grantOf({})
const byPassword: Grant = { type: 'password' }

const control =
  'has a tab or another control character, which basic authentication cannot send (RFC 7617 section 2). Send it without that character.'
const colon =
  'has a colon: the token server would read the rest as password (RFC 7617 section 2). Send a user name without a colon.'
const noHeader =
  'cannot be sent: the token server of this connection wants it in a header, which has up to 4096 characters of printable ASCII without blanks at its ends.'

/** The sentence, or undefined where they are admitted. */
function complaintOf(demand: () => void): string | undefined {
  try {
    demand()
    return undefined
  } catch (error) {
    assert.ok(error instanceof InvalidRequestError)
    return error.message
  }
}

const rows: readonly (readonly [string, Grant, string, string, string | undefined])[] = [
  ['Basic', inHeader, 'älice', 'pa:ss wörd', undefined],
  ['Basic', inHeader, 'alice:b', 'p', `username ${colon}`],
  ['Basic', inHeader, 'ali\tce', 'p', `username ${control}`],
  ['Basic', inHeader, 'alice', 'p\u0085', `password ${control}`],
  ['two headers', inTwoHeaders, 'alice:b', 'p:q', undefined],
  ['two headers', inTwoHeaders, 'älice', 'p', `username ${noHeader}`],
  ['two headers', inTwoHeaders, 'alice', 'p ', `password ${noHeader}`],
  ['a body', inBody, 'a:b\tä', 'p\t', undefined],
  ['the password grant', byPassword, 'a:b\tä', 'p\t', undefined],
]
for (const [way, grant, username, password, complaint] of rows)
  test(`${way} and the credentials ${JSON.stringify([username, password])}: ${complaint ?? 'admitted'}`, () => {
    assert.equal(
      complaintOf(() => demandSendable(grant, username, new Secret(password))),
      complaint,
    )
  })

test('a parameter that goes into a header must be one, and no other parameter', () => {
  const withHeaders = grantOf({ parameterHeaders: { 'x-tenant': 'tenant', 'x-odd': 'toString' } })
  const complaint = (grant: Grant, further: Record<string, string>) =>
    complaintOf(() => demandSendableParameters(grant, further))
  assert.equal(complaint(withHeaders, { tenant: 'nörth' }), `tenant ${noHeader}`)
  assert.equal(complaint(withHeaders, { tenant: '' }), `tenant ${noHeader}`)
  assert.equal(complaint(withHeaders, { tenant: 'north', other: 'ä' }), undefined)
  assert.equal(complaint(withHeaders, {}), undefined)
  assert.equal(complaint(inBody, { tenant: 'ä' }), undefined)
  assert.equal(complaint(byPassword, { tenant: 'ä' }), undefined)
})
