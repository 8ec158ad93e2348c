import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeLogEvent } from '../../../lib/log/log-event.ts'

const refused = {
  event: 'token_request_refused',
  connection: 'conn',
  authorizationServer: 'theServer',
  tokenEndpoint: 'https://as.example.com/token',
  status: 401,
  error: 'invalid_client',
  reason: 'It was refused.',
  elements: ['oAuthConfig/theConfig', 'jwtBuilder/theBuilder'],
  clientId: 'theClient',
  sendsClientId: true,
} as const
const assertion = { alg: 'RS256', kid: 'theKid', iss: 'theClient', sub: 'theClient', aud: 'theServer', iat: 1, exp: 2 }

test('the sentence about a refused token request has the connection, the client id, the assertion and the elements to check', () => {
  const sentence = describeLogEvent({ ...refused, assertion })
  assert.equal(
    sentence,
    'It was refused. The status was 401. The connection conn sent the assertion {"alg":"RS256","kid":"theKid","iss":"theClient","sub":"theClient","aud":"theServer","iat":1,"exp":2} for the client theClient. Check its elements: oAuthConfig/theConfig, jwtBuilder/theBuilder.',
  )
})

test('the sentence about a refused token request tells the assertion of the grant from the assertion of the client', () => {
  const grantAssertion = { ...assertion, sub: 'alice' }
  const sent = (sentence: string) => /conn sent (.*) for the client theClient\./.exec(sentence)?.[1]
  const [own, ofGrant] = [JSON.stringify(assertion), JSON.stringify(grantAssertion)]
  assert.equal(sent(describeLogEvent(refused)), 'no assertion')
  assert.equal(
    sent(describeLogEvent({ ...refused, grantAssertions: [grantAssertion] })),
    `the assertion ${ofGrant} as its grant`,
  )
  assert.equal(
    sent(describeLogEvent({ ...refused, assertion, grantAssertions: [grantAssertion] })),
    `the assertion ${own} and the assertion ${ofGrant} as its grant`,
  )
})

test('the sentence about a failed event names its connection', () => {
  const failed = { event: 'event_failed', code: 'unreachable', reason: 'why', attempt: 1, isLast: false } as const
  assert.equal(
    describeLogEvent({ ...failed, type: 'ConnectionChanged', connection: 'conn' }),
    'Attempt 1 at the event ConnectionChanged for the connection conn failed: why',
  )
  assert.equal(
    describeLogEvent({ ...failed, type: 'ReconcileElements' }),
    'Attempt 1 at the event ReconcileElements failed: why',
  )
})

test('the sentence about a warm run names the authorization servers of tokens that are left', () => {
  const run = { event: 'warm_run_ended', due: 3, renewed: 1, failed: 0, milliseconds: 9 } as const
  assert.match(
    describeLogEvent({ ...run, left: 2, leftAt: ['a', 'b'] }),
    /2 left to the next run\. They are tokens of: a, b\.$/,
  )
  assert.match(describeLogEvent({ ...run, left: 0, leftAt: [] }), /0 left to the next run\.$/)
})

test('a shared key without a public key is no alarming sentence', () => {
  assert.match(describeLogEvent({ event: 'keys_published', jwtBuilder: 'b', keys: 0 }), /normal/)
})
