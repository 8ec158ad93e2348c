import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { type TestContext, test } from 'node:test'
import { Client } from 'undici'
import { listen } from '../../../infra/local/listen.ts'
import { maskTokens, narrate, narrateWhileServing } from '../../../infra/local/narration.ts'
import { type ElementChanges, exampleElements } from '../../support/elements/elements.ts'
import {
  connectionOfKind,
  mergedElements,
  printableSecret,
  secretsOfKinds,
  sharedElements,
  type TokenServerKindName,
  tokenServerKinds,
  userOfKinds,
} from '../../support/elements/token-kinds.ts'
import {
  type ScriptedAnswer,
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest, writeSecret } from '../../support/functions/load-function.ts'
import { leaks } from '../../support/output/canary.ts'
import { credentialsIn } from '../../support/output/quotes.ts'

const byPassword: ElementChanges = { oAuth: { grantType: 'password' } }
const theUser = tokenRequest('conn', 'username=alice&password=tr0ub4dor')

/** The narration of one request with user and password, and of a second request after it was stopped. */
async function tell(t: TestContext, answer: ScriptedAnswer): Promise<{ first: string; second: string }> {
  const server = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => exampleElements(issuer, byPassword),
    () => answer,
  )
  const lines: string[] = []
  const stop = narrate((line) => lines.push(line))
  t.after(stop)
  await server.http(theUser)
  const first = lines.splice(0).join('\n')
  stop()
  await server.http(tokenRequest('conn', 'username=bob&password=tr0ub4dor'))
  return { first, second: lines.join('\n') }
}

test('requests and answers are printed without password, signature and token, until the narration is stopped', async (t) => {
  const { first, second } = await tell(
    t,
    tokenAnswer({ access_token: 'the-access-token', refresh_token: 'the-refresh-token' }),
  )
  for (const line of [
    /POST https:\/\/localhost:\d+\/token/,
    /grant_type=password/,
    /username=alice/,
    /password=\[secret\]/,
    /client_assertion, decoded:\n\s+header \{"alg":"RS256".*\n\s+claims \{"iss":"theClient"/,
    /answered 200/,
    /"access_token":"\(16 characters\)"/,
    /"refresh_token":"\(17 characters\)"/,
    /The caller \w+ got a token from: server\. It is valid for 299 s\./,
  ])
    assert.match(first, line)
  assert.doesNotMatch(first, /tr0ub4dor|eyJ|the-access-token|the-refresh-token/)
  assert.equal(second, '')
})

test('JWTs of a token exchange are printed without their signature, and a secret in the body or an opaque token not at all', async (t) => {
  const authData = { theData: { user: 'theClient', passwordSecret: 'tokenwell/local/the-password' } }
  const oAuth = { grantType: 'token-exchange', jwtAuthenticationTokenRef: undefined }
  const inBody = { ...oAuth, clientAuthentication: 'client_secret_post' }
  for (const [subjectTokenRef, body, told] of [
    ['theTokenConfig', '', /subject_token, decoded:\n\s+header \{"alg":"RS256".*\n\s+claims \{"iss":"theClient"/],
    [undefined, 'subject_token=an-opaque-token&subject_token_type=urn:a', /subject_token=\[secret\]/],
  ] as const) {
    const server = await startIssueTokenWithScriptedServer(
      t,
      (issuer) => ({
        ...exampleElements(issuer, { server: { basicAuthRef: 'theData' }, oAuth: { ...inBody, subjectTokenRef } }),
        authData,
      }),
      () => tokenAnswer(),
    )
    const lines: string[] = []
    const stop = narrate((line) => lines.push(line))
    t.after(stop)
    await server.http(tokenRequest('conn', body))
    stop()
    const text = lines.join('\n')
    assert.match(text, told)
    assert.match(text, /client_secret=\[secret\]/)
    assert.doesNotMatch(text, /eyJ|an-opaque-token/)
  }
})

for (const kind of Object.keys(tokenServerKinds) as TokenServerKindName[])
  test(`nothing of a request to a token server by ${kind}, and nothing of its answer, is printed but its address`, async (t) => {
    const sent: string[] = []
    const server = await startIssueTokenWithScriptedServer(
      t,
      (issuer) => mergedElements(sharedElements(issuer), connectionOfKind(kind, 'conn', `${issuer}/token`)),
      (request) => {
        sent.push(...credentialsIn(request))
        return tokenServerKinds[kind].answer('the-token-of-this-kind')
      },
    )
    for (const name of Object.keys(secretsOfKinds)) await writeSecret(server.workspace, name, printableSecret)
    const lines: string[] = []
    const stop = narrate((line) => lines.push(line), [`${server.issuer}/token`])
    t.after(stop)
    assert.equal((await server.http(tokenRequest('conn'))).status, 200)
    stop()
    const text = lines.join('\n')
    assert.match(text, / {2}(GET|POST) https:\/\/localhost:\d+\/token with credentials that are not shown\n/)
    assert.ok(sent.length > 0)
    assert.deepEqual(
      leaks([...sent.filter((each) => each !== userOfKinds), printableSecret, 'the-token-of-this-kind'], [text]),
      [],
    )
  })

test('for an API call without a bearer token nothing that it sends in a header is printed, also not from the answer', async (t) => {
  const lines = await tellOfCall(t, '{"seen":"the-jwt-of-a-header, Basic dGhlVXNlcjpwdw=="}', {
    'x-jwt': 'the-jwt-of-a-header',
    authorization: 'Basic dGhlVXNlcjpwdw==',
  })
  assert.deepEqual(lines, [
    '  POST http://127.0.0.1:80/orders/42 with the token',
    '     answered 200',
    '     {"seen":"[token], Basic [token]"}',
  ])
})

/** The narration of one call to an API with this answer. */
async function tellOfCall(
  t: TestContext,
  answer: string | Buffer,
  credentials: Record<string, string> = { authorization: 'Bearer the-access-token' },
): Promise<string[]> {
  const server = createServer((_request, response) => response.end(answer))
  const port = await listen(server, 0, '127.0.0.1')
  const client = new Client(`http://127.0.0.1:${port}`)
  const lines: string[] = []
  const stop = narrate((line) => lines.push(line))
  t.after(stop)
  const { body } = await client.request({
    method: 'POST',
    path: '/orders/42?key=the-query',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...credentials },
    body: 'item=the-body',
  })
  await body.dump()
  stop()
  await client.close()
  server.close()
  return lines.map((line) => line.replace(String(port), '80'))
}

test('for an API call the token, query and body are not printed, and the answer only if it is short text', async (t) => {
  for (const [answer, told] of [
    ['{"id": "42",\n "item": "tea"}\n', ['     {"id": "42", "item": "tea"}']],
    [
      '{"sent":"Bearer the-access-token","id_token":"12345678"}',
      ['     {"sent":"Bearer [token]","id_token":"(8 characters)"}'],
    ],
    ['x'.repeat(400), [`     ${'x'.repeat(400)}`]],
    ['x'.repeat(401), ['     (401 bytes)']],
    ['\u001b[2J', ['     (4 bytes)']],
    [Buffer.from([0x89, 0x50, 0xff]), ['     (3 bytes)']],
    ['', []],
  ] as const)
    assert.deepEqual(await tellOfCall(t, answer), [
      '  POST http://127.0.0.1:80/orders/42 with the token',
      '     answered 200',
      ...told,
    ])
})

test('a failure is printed with its status and reason', async (t) => {
  const { first } = await tell(t, { status: 400, body: { error: 'invalid_grant' } })
  assert.match(first, /answered 400/)
  assert.match(
    first,
    /The request failed with 400 refused: The authorization server theServer refused the token request: invalid_grant\./,
  )
})

test('tokens of every kind are masked, and other members are not', () => {
  assert.equal(
    maskTokens('{"access_token" : "12345678","id_token":"123456789","token":"abcdefgh","token_type":"Bearer","x":"y"}'),
    '{"access_token":"(8 characters)","id_token":"(9 characters)","token":"(8 characters)","token_type":"Bearer","x":"y"}',
  )
})

test('while npm start serves, only failures are printed', async (t) => {
  let answer = tokenAnswer()
  const server = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => exampleElements(issuer, byPassword),
    () => answer,
  )
  const lines: string[] = []
  narrateWhileServing((line) => lines.push(line))
  await server.http(theUser)
  assert.deepEqual(lines, [])
  answer = { status: 400, body: { error: 'invalid_grant' } }
  await server.http(tokenRequest('conn', 'username=bob&password=x'))
  const [refused = '', failed = '', ...others] = lines
  assert.deepEqual(others, [])
  assert.match(
    refused,
    /invalid_grant\. The status was 400\. The connection conn sent the assertion \{"alg":.*"aud":.*\} for the client theClient\. Check its elements: .*jwtBuilder\/theBuilder\.$/,
  )
  assert.doesNotMatch(lines.join(), /bob/)
  assert.match(
    failed,
    /^[\w-]{36}: conn: 400 refused: The authorization server theServer refused the token request: invalid_grant\./,
  )
})
