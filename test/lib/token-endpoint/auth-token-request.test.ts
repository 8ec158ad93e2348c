import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AuthTokenGrant, AuthTokenRequest, AuthTokenResponse } from '../../../lib/configuration/auth-token.ts'
import type { PrivateKeyJwt } from '../../../lib/configuration/connection.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { createSignedAssertions } from '../../../lib/signing/assertion.ts'
import { KeyStoreError } from '../../../lib/signing/signing-key.ts'
import { writeAuthTokenRequest } from '../../../lib/token-endpoint/auth-token-request.ts'
import type { GrantParameters } from '../../../lib/token-endpoint/grants/grant-form.ts'
import { keptOf } from '../../../lib/token-endpoint/kept-answer.ts'
import { printableDescription } from '../../../lib/token-endpoint/printable-description.ts'
import type { ClientKey, RequestKeys } from '../../../lib/token-endpoint/request-keys.ts'
import { sentSecrets } from '../../../lib/token-endpoint/signed-request.ts'
import { UnreadableAnswerError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import { plainAssertion, plainConnection } from '../../support/elements/plain-connection.ts'
import { theSigner } from '../../support/virtual/virtual-ports.ts'

const moment = { now: Date.UTC(2026, 10, 30), jwtId: 'the-id' }
const parameters = { scope: [], resource: [], further: {} }
const inText: AuthTokenResponse = { token: { in: 'text' } }
const password = 'pa"ss\\ wörd+%'
const byPassword: ClientKey = {
  way: { method: 'client_secret_basic', passwordSecret: 'tokenwell/test/the-password' },
  user: 'the user',
  password: new Secret(password),
}
const bySigner: ClientKey = {
  way: plainConnection.clientAuthentication as PrivateKeyJwt,
  maker: createSignedAssertions(plainAssertion(), theSigner),
}
const byNothing: ClientKey = { way: { method: 'none', sendClientId: false } }

function grantOf(request: Partial<AuthTokenRequest>, response = inText): AuthTokenGrant {
  return {
    type: 'authToken',
    request: { method: 'POST', credentials: { in: 'body' }, ...request },
    response,
    reuse: 'all',
  }
}

async function write(
  grant: AuthTokenGrant,
  client: ClientKey,
  more: Partial<RequestKeys> = {},
  callers: Partial<Pick<GrantParameters, 'username' | 'password' | 'further'>> = {},
) {
  const keys = { client, grant: { grant: { type: 'client_credentials' } as const }, ...more }
  const { signed, written } = await writeAuthTokenRequest(grant, keys, moment, { further: {}, ...callers })
  const { method, headers, form, json } = written
  const revealed = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.reveal()]))
  return { signed, method, headers: revealed, form: form?.reveal(), json: json?.reveal() }
}

const body = (structure: NonNullable<AuthTokenRequest['body']>['structure'], format: 'JSON' | 'form' = 'JSON') => ({
  body: { format, structure },
})

test('a user and a password are one header as RFC 7617 says, without form-encoding', async () => {
  const { headers, method, json, form } = await write(
    grantOf({ method: 'GET', credentials: { in: 'header', header: 'x-login' } }),
    byPassword,
  )
  const pair = Buffer.from(`the user:${password}`).toString('base64')
  assert.deepEqual(headers, { accept: '*/*', 'x-login': `Basic ${pair}` })
  assert.deepEqual([method, json, form], ['GET', undefined, undefined])
})

test('a JWT is one header with the scheme Bearer, and a leaf of the body', async () => {
  const inHeader = await write(grantOf({ credentials: { in: 'header', header: 'authorization' } }), bySigner)
  const [, jwt = ''] = /^Bearer (eyJ.*)$/.exec(inHeader.headers['authorization'] ?? '') ?? []
  assert.notEqual(jwt, '')
  assert.equal(inHeader.signed.client.assertion?.claims['jti'], 'the-id')
  const inBody = await write(grantOf(body({ a: { jwt: { assertion: true } } })), bySigner)
  assert.deepEqual([inBody.json, inBody.headers], [JSON.stringify({ a: { jwt } }), { accept: '*/*' }])
})

test('the leaves of a body stand for their values, and everything else is sent as it is', async () => {
  const structure = {
    login: { name: { user: true }, password: { password: true } },
    list: [{ secret: 'tokenwell/test/a' }, 'text', 5, true, null, { user: 'alice' }],
  }
  const secrets = new Map([['tokenwell/test/a', new Secret('a secret')]])
  const { json } = await write(grantOf(body(structure)), byPassword, { body: secrets })
  assert.deepEqual(JSON.parse(json ?? ''), {
    login: { name: 'the user', password },
    list: ['a secret', 'text', 5, true, null, { user: 'alice' }],
  })
  const flat = { name: { user: true }, password: { password: true }, number: 5, flag: false }
  const { form } = await write(grantOf(body(flat, 'form')), byPassword)
  assert.deepEqual(
    [...new URLSearchParams(form)],
    [
      ['name', 'the user'],
      ['password', password],
      ['number', '5'],
      ['flag', 'false'],
    ],
  )
})

test('parameters of a request fill their leaves and headers, and what it does not have is left out', async () => {
  const structure = {
    permissions: { contents: { parameter: 'contents' }, issues: { parameter: 'issues' } },
    repositories: [{ parameter: 'repository' }, { parameter: 'issues' }],
    constructor: { parameter: 'constructor' },
  }
  const request = { ...body(structure), parameterHeaders: { 'x-tenant': 'tenant', 'x-other': 'issues' } }
  const further = { contents: 'read "all"', repository: 'a', tenant: 'north' }
  const { json, headers } = await write(grantOf(request), byNothing, {}, { further })
  assert.deepEqual(JSON.parse(json ?? ''), { permissions: { contents: 'read "all"' }, repositories: ['a'] })
  assert.deepEqual(headers, { accept: '*/*', 'x-tenant': 'north' })
  const flat = { tenant: { parameter: 'tenant' }, issues: { parameter: 'issues' } }
  const { form } = await write(grantOf(body(flat, 'form')), byNothing, {}, { further: { tenant: 'a&b' } })
  assert.equal(form, 'tenant=a%26b')
})

test('a parameter that no header can have, and one in the header of the credentials, are not sent', async () => {
  const request = {
    credentials: { in: 'header', header: 'x-login' },
    parameterHeaders: { 'x-login': 'a', 'x-b': 'b' },
  } as const
  const { headers } = await write(grantOf(request), byPassword, {}, { further: { a: 'mine', b: 'one\r\ntwo: 3' } })
  assert.deepEqual(Object.keys(headers), ['accept', 'x-login'])
  assert.match(headers['x-login'] ?? '', /^Basic /)
})

test('a password that a header of its own cannot have is never sent, and the error names its secret', async () => {
  const credentials = { in: 'named_headers', userHeader: 'x-user', passwordHeader: 'x-password' } as const
  await assert.rejects(write(grantOf({ credentials }), byPassword), (error) => {
    assert(error instanceof KeyStoreError)
    assert.match(error.message, /tokenwell\/test\/the-password holds a text that a header cannot have/)
    return true
  })
  const { headers } = await write(grantOf({ credentials }), { ...byPassword, password: new Secret('plain') })
  assert.deepEqual(headers, { accept: '*/*', 'x-user': 'the user', 'x-password': 'plain' })
})

test('headers of the element go beside the credentials, and JSON is asked for where the answer has it', async () => {
  const added = { headers: { accept: new Secret('a/b'), 'x-key': new Secret('k') }, secrets: [] }
  const { headers } = await write(grantOf({}), byNothing, { headers: added })
  assert.deepEqual(headers, { accept: 'a/b', 'x-key': 'k' })
  const inJson: AuthTokenResponse = { token: { in: 'json', path: ['token'] } }
  assert.deepEqual((await write(grantOf({}, inJson), byNothing)).headers, {})
  const end: AuthTokenResponse = { ...inText, expiry: { in: 'json', path: ['end'] } }
  assert.deepEqual((await write(grantOf({}, end), byNothing)).headers, {})
})

test('no refusal can quote a credential in any form of the request, and harmless words stay', async () => {
  const secrets = new Map([['tokenwell/test/a', new Secret('another secret')]])
  const all = body({ p: { password: true }, s: { secret: 'tokenwell/test/a' } })
  for (const [client, format] of [
    [byPassword, 'JSON'],
    [byPassword, 'form'],
    [bySigner, 'JSON'],
  ] as const) {
    const grant = grantOf({ body: { ...all.body, format }, credentials: { in: 'header', header: 'authorization' } })
    const { signed, headers, json, form } = await write(grant, client, { body: secrets })
    const sent = sentSecrets(signed, parameters).secrets
    for (const text of [headers['authorization'], json, form]) {
      const told = printableDescription(`You sent ${text}`, sent) ?? ''
      assert.doesNotMatch(told, /pa"ss|w(ö|%C3%B6)rd|another|cGEic3M|eyJ\w/, text)
    }
    for (const words of ['Bearer error="invalid_token"', 'Basic realm="users"', 'The user is unknown'])
      assert.equal(printableDescription(words, sent), words)
  }
})

test('an answer that contains a credential of the request is no token', async () => {
  const secrets = new Map([
    ['tokenwell/test/a', new Secret('another-secret')],
    ['tokenwell/test/b', new Secret('short')],
    ['tokenwell/test/c', new Secret('quo"ted-secret')],
  ])
  const grant = grantOf({
    ...body({ a: { secret: 'tokenwell/test/a' }, b: { secret: 'tokenwell/test/b' } }),
    credentials: { in: 'header', header: 'authorization' },
  })
  const connection = { ...plainConnection, grant }
  const keep = (text: string, signed: Parameters<typeof keptOf>[1]) =>
    keptOf({ accessToken: new Secret(text) }, signed, connection, parameters).accessToken.reveal()
  for (const client of [bySigner, byPassword]) {
    const { signed, headers } = await write(grant, client, { body: secrets })
    const [, credential = ''] = (headers['authorization'] ?? '').split(' ')
    for (const text of [
      credential,
      `{"token":"${credential}"}`,
      'an-another-secret',
      'short',
      'x:quo\\"ted-secret',
      'x=quo%22ted-secret',
    ])
      assert.throws(
        () => keep(text, signed),
        (error) =>
          error instanceof UnreadableAnswerError &&
          /answered with a credential that it was sent\. No caller gets it as a token\./.test(error.message),
        text,
      )
    // In a short secret, equal characters may be a coincidence.
    assert.equal(keep('a-short-token', signed), 'a-short-token')
  }
})

const ofCaller = { username: 'älice', password: new Secret('the callers "word"') }

test('the user and the password of a request take the places of those of the elements', async () => {
  const header = grantOf({ credentials: { in: 'header', header: 'x-login' }, credentialsFrom: 'caller' })
  const pair = Buffer.from(`älice:${ofCaller.password.reveal()}`).toString('base64')
  assert.equal((await write(header, byNothing, {}, ofCaller)).headers['x-login'], `Basic ${pair}`)
  const headers = { in: 'named_headers', userHeader: 'x-user', passwordHeader: 'x-password' } as const
  const named = await write(grantOf({ credentials: headers, credentialsFrom: 'caller' }), byNothing, {}, ofCaller)
  assert.deepEqual([named.headers['x-user'], named.headers['x-password']], ['älice', ofCaller.password.reveal()])
  const leaves = { credentialsFrom: 'caller', ...body({ u: { user: true }, p: { password: true } }) } as const
  const { json } = await write(grantOf(leaves), byNothing, {}, ofCaller)
  assert.deepEqual(JSON.parse(json ?? ''), { u: 'älice', p: ofCaller.password.reveal() })
})

test('the user and the password of a request go nowhere if the elements have the credentials', async () => {
  for (const client of [byPassword, bySigner, byNothing]) {
    const grant = grantOf({
      credentials: { in: 'header', header: 'x-login' },
      ...body({ u: { user: true }, p: { password: true } }),
    })
    const { headers, json } = await write(grant, client, {}, ofCaller)
    const sent = `${Object.values(headers)} ${Buffer.from(String(headers['x-login']).slice(6), 'base64')} ${json}`
    assert.doesNotMatch(sent, /älice|callers/)
  }
})

test('no refusal can quote the password of a request, and no caller gets it as a token', async () => {
  const grant = grantOf({ credentials: { in: 'header', header: 'x-login' }, credentialsFrom: 'caller' })
  const { signed } = await write(grant, byNothing, {}, ofCaller)
  const { secrets } = sentSecrets(signed, { ...parameters, ...ofCaller })
  const pair = Buffer.from(`älice:${ofCaller.password.reveal()}`).toString('base64')
  for (const text of [ofCaller.password.reveal(), 'the callers \\"word\\"', pair])
    assert(
      secrets.some((secret) => secret.reveal() === text),
      text,
    )
  assert.throws(
    () => keptOf({ accessToken: ofCaller.password }, signed, { ...plainConnection, grant }, parameters),
    UnreadableAnswerError,
  )
})
