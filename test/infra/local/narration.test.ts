import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { maskTokens, narrate, narrateWhileServing } from '../../../infra/local/narration.ts'
import { type ElementChanges, theElements } from '../../support/elements.ts'
import { tokenRequest } from '../../support/the-set.ts'
import { type ScriptedAnswer, someToken, startTokenServer } from '../../support/token-server.ts'

const byPassword: ElementChanges = { oAuth: { grantType: 'password' } }
const theUser = tokenRequest('conn', 'username=alice&password=tr0ub4dor')

/** What is told of one request by user and password, and then of another. */
async function tell(t: TestContext, answer: ScriptedAnswer): Promise<{ first: string; second: string }> {
  const server = await startTokenServer(
    t,
    (issuer) => theElements(issuer, byPassword),
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

test('what is sent and answered is told without password, signature and token, and only until it is enough', async (t) => {
  const { first, second } = await tell(
    t,
    someToken({ access_token: 'the-access-token', refresh_token: 'the-refresh-token' }),
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
    /token handed out from: server, 299 s left/,
  ])
    assert.match(first, line)
  assert.doesNotMatch(first, /tr0ub4dor|eyJ|the-access-token|the-refresh-token/)
  assert.equal(second, '')
})

test('a failure is told with its status and reason', async (t) => {
  const { first } = await tell(t, { status: 400, body: { error: 'invalid_grant' } })
  assert.match(first, /answered 400/)
  assert.match(first, /failed with 400 refused: The authorization server theServer refuses: invalid_grant\./)
})

test('tokens of every kind are masked, and what is none is not', () => {
  assert.equal(
    maskTokens('{"access_token" : "12345678","id_token":"123456789","token":"abcdefgh","token_type":"Bearer","x":"y"}'),
    '{"access_token":"(8 characters)","id_token":"(9 characters)","token":"(8 characters)","token_type":"Bearer","x":"y"}',
  )
})

test('of failures alone is told once npm start serves', async (t) => {
  let answer = someToken()
  const server = await startTokenServer(
    t,
    (issuer) => theElements(issuer, byPassword),
    () => answer,
  )
  const lines: string[] = []
  narrateWhileServing((line) => lines.push(line))
  await server.http(theUser)
  assert.deepEqual(lines, [])
  answer = { status: 400, body: { error: 'invalid_grant' } }
  await server.http(tokenRequest('conn', 'username=bob&password=x'))
  assert.equal(lines.length, 1)
  assert.match(lines[0] ?? '', /^[\w-]{36}: 400 refused: The authorization server theServer refuses: invalid_grant\./)
})
