import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type TokenRequest, tokenKey } from '../../../lib/access-token/token.ts'
import { readAskedRequest } from '../../../lib/admission/asked-request.ts'
import { InvalidRequestError } from '../../../lib/admission/invalid-request.ts'
import { withoutIgnored } from '../../../lib/admission/unknown-parameters.ts'
import type { ServedConnection } from '../../../lib/configuration/connection.ts'
import { ElementStoreError } from '../../../lib/configuration/element-store.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'
import { unchangingConnections } from '../../support/virtual/virtual-ports.ts'

const tenanted: ServedConnection = {
  ...plainConnection,
  parameters: { ...plainConnection.parameters, further: { tenant: 'a' } },
}
const asked = (further: Readonly<Record<string, string>>): TokenRequest => ({ connection: 'conn', further })
const refusal = (name: string, reason: RegExp) => (error: unknown) => {
  assert.ok(error instanceof InvalidRequestError)
  assert.ok(error.message.startsWith(`${name} `), error.message)
  assert.match(error.message, reason)
  return true
}

const nearMisses: Readonly<Record<string, readonly string[]>> = {
  rejected_token_id: [
    'rejectedTokenId',
    'rejected-token-id',
    'token_id',
    'tokenId',
    'REJECTED_TOKEN_ID',
    'reject_token_id',
    'rejected_token',
    'rejec',
  ],
  minimum_seconds: [
    ...['minimumSeconds', 'minimum.seconds', 'minimumseconds', 'min_seconds', 'minimum', 'minim', 'minimun_seconds'],
    ...['seconds', 'minimum_lifetime'],
  ],
  scope: ['Scope', 'scopes', 'SCOPE', 's.c.o.p.e', 'scp', 'scop', 'oauth_scope', 'scope-list'],
  resource: ['resources', 'Resource', 'ressource', 'resource_id', 'res', 'target_resource'],
  audience: ['audiences', 'aud', 'audiance', 'target_audience', 'audience_of_token'],
  username: ['user', 'userName', 'user_name', 'usernam', 'userid', 'login', 'uname', 'my_username', 'username2'],
  password: ['Password', 'passwd', 'pass', 'pwd', 'pass.word', 'passphrase', 'user_password', 'password_hash'],
  authentication: ['Authentication', 'auth', 'authn', 'auth_id', 'authRef', 'authenticat', 'authenticationRef'],
  grant_type: ['granttype', 'grantType', 'grant.type', 'grant-type', 'grand_type', 'grant'],
  subject_token: ['subjectToken', 'subject.token', 'SUBJECT_TOKEN'],
  actor_token: ['actorToken', 'actor-token'],
  client_id: ['clientId', 'client.id', 'CLIENT_ID', 'client-id'],
  client_secret: ['clientSecret', 'CLIENT_SECRET'],
  client_assertion: ['client.assertion', 'clientAssertion'],
  client_assertion_type: ['client.assertion.type', 'clientAssertionType'],
  connection: ['Connection', 'conection', 'connection', 'conne'],
  tenant: ['Tenant', 'ten.ant', 'tennant'],
}

for (const [own, names] of Object.entries(nearMisses))
  test(`a near miss of ${own} is refused, and the caller learns the right name`, () => {
    for (const name of names)
      assert.throws(
        () => withoutIgnored(tenanted, asked({ [name]: 'x' })),
        refusal(name, new RegExp(`Did you mean ${own}\\?$`)),
      )
  })

test('a parameter that could narrow the token is refused if it is not listed, and sent if it is', () => {
  const names = [
    ...['authorization_details', 'claims', 'requested_token_type'],
    ...['requested_subject', 'requested_actor_type', 'request', 'request_uri', 'acr_values', 'max_age'],
    ...[
      'assertion',
      'code',
      'refresh_token',
      'device_code',
      'claim_token',
      'permission',
      'organization',
      'dpop_jkt',
      'sub',
    ],
    ...['login_hint', 'id_token_hint', 'requested_token_use', 'requested_issuer', 'requested_actor', 'subject'],
    ...['subject_issuer', 'code_verifier', 'auth_req_id', 'ticket', 'rpt', 'pct', 'claim_token_format', 'permissions'],
    ...['purpose', 'token_type', 'req_cnf', 'cnf', 'authorisation_details', 'impersonate_user', 'delegated_by'],
    ...['requested_scope', 'subject_username', 'delegated_resource'],
    ...['authorizationDetails', 'Claims', 'claims_locales', 'on_behalf_of'],
  ]
  for (const name of names) {
    assert.throws(() => withoutIgnored(plainConnection, asked({ [name]: 'x' })), refusal(name, /requestMay/))
    const listed: ServedConnection = { ...plainConnection, requestMay: { [name]: true } }
    assert.deepEqual(withoutIgnored(listed, asked({ [name]: 'x' })), { request: asked({ [name]: 'x' }), ignored: [] })
  }
})

test('every other parameter is ignored, and is no longer part of the request', () => {
  const names = [
    ...['client-request-id', 'return-client-request-id', 'client_info', 'x-client-SKU', 'x-client-VER', 'x-client-OS'],
    ...[
      'x-client-CPU',
      'x-ms-lib-capability',
      'x-client-current-telemetry',
      'x-app-name',
      'response_type',
      'redirect_uri',
    ],
    ...[
      'state',
      'nonce',
      'tenant',
      'region',
      'trace_id',
      'correlation_id',
      '__proto__',
      'constructor',
      'a',
      'conn',
      'mini',
    ],
    ...['my_request', 'recode', 'tickets_left', 'factor', 'unclaimed'],
  ]
  for (const name of names) {
    const { request, ignored } = withoutIgnored(plainConnection, asked(JSON.parse(`{"${name}":"x"}`)))
    assert.deepEqual([request, ignored], [asked({}), [name]])
  }
})

test('a parameter that the element sets or lists stays and is checked, and any other is ignored', () => {
  assert.deepEqual(withoutIgnored(tenanted, asked({ tenant: 'b', trace: 'x' })), {
    request: asked({ tenant: 'b' }),
    ignored: ['trace'],
  })
  const listed: ServedConnection = { ...tenanted, requestMay: { realm: ['r'] } }
  assert.deepEqual(withoutIgnored(listed, asked({ trace: 'x', realm: 's', tenant: 'b' })), {
    request: asked({ realm: 's', tenant: 'b' }),
    ignored: ['trace'],
  })
  assert.throws(() => withoutIgnored(listed, asked({ reallm: 'r' })), refusal('reallm', /Did you mean realm/))
  assert.throws(() => withoutIgnored(listed, asked({ claims: '{}' })), refusal('claims', /requestMay/))
})

test('in the query only an unknown parameter is ignored', () => {
  const inQuery = (name: string): TokenRequest => ({ ...asked({}), inQuery: [name] })
  assert.deepEqual(withoutIgnored(tenanted, inQuery('client-request-id')).ignored, ['client-request-id'])
  assert.throws(() => withoutIgnored(tenanted, inQuery('tenant')), refusal('tenant', /in the body/))
  assert.throws(() => withoutIgnored(tenanted, inQuery('Tenant')), refusal('Tenant', /Did you mean tenant/))
  assert.throws(() => withoutIgnored(tenanted, inQuery('claims')), refusal('claims', /requestMay/))
})

test("the elements are read only where they decide, and nothing is ignored where they can't be read", async () => {
  const { get, ...others } = unchangingConnections(plainConnection)
  let reads = 0
  const counted = {
    ...others,
    get() {
      reads++
      return get('conn')
    },
  }
  await readAskedRequest(counted, { ...asked({}), scope: ['a'] })
  assert.equal(reads, 0)
  assert.deepEqual((await readAskedRequest(counted, asked({ trace: 'x' }))).ignored, ['trace'])
  assert.equal(reads, 1)
  const failing = { ...others, get: () => Promise.reject(new ElementStoreError('elements_unreachable', 'no answer')) }
  const unread = await readAskedRequest(failing, asked({ trace: 'x' }))
  assert.deepEqual(unread, { request: asked({ trace: 'x' }), ignored: [] })
  const inQuery = { ...asked({}), inQuery: ['trace'] }
  assert.deepEqual((await readAskedRequest(counted, inQuery)).ignored, ['trace'])
  const fault = new TypeError('a programming error')
  const faulty = { ...others, get: () => Promise.reject(fault) }
  await assert.rejects(readAskedRequest(faulty, asked({ trace: 'x' })), fault)
})

test('at most 8 KiB of JSON is kept of a request, escapes included, and ignored parameters do not count', async () => {
  const connections = unchangingConnections({
    ...plainConnection,
    requestMay: { tenant: true, scope: true, resource: true, audience: true },
  })
  const resources = (count: number) => Array.from({ length: count }, (_, index) => `https://api.example/${index}`)
  const taken: readonly Partial<TokenRequest>[] = [
    { further: { tenant: 'x'.repeat(8_100) } },
    { further: { tenant: '\n'.repeat(4_000) } },
    { resource: resources(200) },
  ]
  const refused: readonly Partial<TokenRequest>[] = [
    { further: { tenant: 'x'.repeat(8_200) } },
    { further: { tenant: '\n'.repeat(4_200) } },
    { further: { tenant: '\u0001'.repeat(1_400) } },
    { further: { tenant: '\ud800'.repeat(1_400) } },
    { further: { tenant: '\u20ac'.repeat(2_800) } },
    { audience: '"'.repeat(4_200) },
    { resource: resources(500) },
    { scope: resources(500) },
    { username: 'x'.repeat(8_200) },
  ]
  for (const each of taken) await readAskedRequest(connections, { ...asked({}), ...each })
  for (const each of refused)
    await assert.rejects(
      readAskedRequest(connections, { ...asked({}), ...each }),
      refusal('The request', /at most 8192 bytes/),
    )
  const longest = 8_192 - Buffer.byteLength(tokenKey(asked({ tenant: '' })))
  await readAskedRequest(connections, asked({ tenant: 'x'.repeat(longest) }))
  await assert.rejects(
    readAskedRequest(connections, asked({ tenant: 'x'.repeat(longest + 1) })),
    refusal(
      'The request',
      /^The request takes 8193 bytes as JSON\. All its parameters together can take at most 8192 bytes\.$/,
    ),
  )
  const open = unchangingConnections(plainConnection)
  assert.deepEqual((await readAskedRequest(open, asked({ trace: 'x'.repeat(60_000) }))).ignored, ['trace'])
})

test('authorization_details have one form before any token is looked for, and what is no list of details is refused', async () => {
  const requestMay = { authorization_details: true } as const
  const connections = unchangingConnections({ ...plainConnection, requestMay })
  const read = async (text: string) =>
    (await readAskedRequest(connections, asked({ authorization_details: text }))).request
  const [one, other] = [
    await read('[{"type":"b"},{"type":"a","x":1}]'),
    await read('[{"x":1.0,"type":"a"}, {"type":"b"}, {"type":"b"}]'),
  ]
  assert.equal(tokenKey(one), tokenKey(other))
  assert.deepEqual(one.further, { authorization_details: '[{"type":"a","x":1},{"type":"b"}]' })
  await assert.rejects(
    read('{"type":"a"}'),
    refusal('authorization_details', /must be a JSON list of one or more objects/),
  )
})
