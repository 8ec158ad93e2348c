import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHandler } from '../../../functions/issue-token/handler.ts'
import { timerPause } from '../../../lib/adapters/process/clock.ts'
import { createApplication } from '../../../lib/application/application.ts'
import { callerOf } from '../../../lib/http-interface/access.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import { localDeployment } from '../../support/elements/element-store.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'
import { contextFor } from '../../support/functions/alias.ts'
import { createHttpEvent, tokenRequest } from '../../support/functions/load-function.ts'
import { withDefaultPorts } from '../../support/virtual/default-ports.ts'
import { virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'
import { thePassword, theSigners, unchangingConnections } from '../../support/virtual/virtual-ports.ts'

const onLambda = { isLambda: true }
const callerBy = (authorizer: object | undefined, where = onLambda) =>
  callerOf({ entry: { kind: 'http' }, requestContext: { ...(authorizer && { authorizer }) } }, where)
const role = (session: string) => ({ iam: { userArn: `arn:aws:sts::111122223333:assumed-role/Orders/${session}` } })
const jwt = (claims: object) => ({ jwt: { claims } })

test('the sessions of one role are one caller, and two roles are two', () => {
  assert.equal(callerBy(role('a')), 'arn:aws:sts::111122223333:assumed-role/Orders')
  assert.equal(callerBy(role('b/c\n/d')), callerBy(role('a')))
  const other = { iam: { userArn: 'arn:aws:sts::111122223333:assumed-role/Orders2/a' } }
  assert.notEqual(callerBy(other), callerBy(role('a')))
  assert.equal(
    callerBy({ iam: { userArn: 'arn:aws:iam::111122223333:user/x/y' } }),
    'arn:aws:iam::111122223333:user/x/y',
  )
})

test('behind mutual TLS the issuer and subject of the certificate are the caller, and no JWT has the same name', () => {
  const authentication = { clientCert: { subjectDN: 'CN=orders', issuerDN: 'CN=The CA' } }
  const authorizer = jwt({ iss: 'https://a.example', sub: 'x' })
  const caller = callerOf({ entry: { kind: 'mutual_tls' }, requestContext: { authentication, authorizer } }, onLambda)
  assert.equal(caller, '["certificate","CN=The CA","CN=orders"]')
  assert.equal(
    callerOf({ entry: { kind: 'http' }, requestContext: { authentication, authorizer } }, onLambda),
    '["https://a.example","x"]',
  )
})

test('a subject is one caller for each issuer, however the two are written', () => {
  const names = [
    { iss: 'https://a.example', sub: 'x' },
    { iss: 'https://a.example', sub: 'y' },
    { iss: 'https://b.example', sub: 'x' },
    { iss: 'https://a.example","x', sub: '' },
    { iss: 'https://a.example' },
  ].map((claims) => callerBy(jwt(claims)))
  assert.equal(new Set(names).size, names.length)
})

test('without an authorizer all callers are one: direct on Lambda, local on one machine', () => {
  for (const authorizer of [undefined, {}, { iam: {} }, { iam: { userArn: 7 } }, { jwt: 'x' }, jwt({ sub: 'x' })]) {
    assert.equal(callerBy(authorizer), 'direct')
    assert.equal(callerBy(authorizer, { isLambda: false }), 'local')
  }
})

test('each token that is handed out makes one audit event with its caller, connection and token id', async () => {
  const log: LogEvent[] = []
  const ports = withDefaultPorts({
    ...{ connections: unchangingConnections(plainConnection), secrets: thePassword, signers: theSigners },
    tokenEndpoint: { post: async () => virtualToken() },
    ...{ now: Date.now, pause: timerPause },
    log: (event) => void log.push(event),
  })
  const { now, log: logEvent } = ports
  const application = createApplication(ports)
  const handler = createHandler({
    ...{ application, deployment: localDeployment, earlierRecords: 'none', now },
    log: logEvent,
  })
  const ask = async (event: object) => await handler(event, contextFor(event))
  await ask(createHttpEvent({ ...tokenRequest('conn'), authorizer: role('a') }))
  await ask(createHttpEvent({ ...tokenRequest('conn'), authorizer: jwt({ iss: 'i', sub: 's' }) }))
  await ask(createHttpEvent(tokenRequest('conn')))
  await ask({ connection: 'conn' })

  const issued = log.filter((event) => event.event === 'token_issued')
  assert.deepEqual(
    issued.map(({ caller, connection, source }) => [caller, connection, source]),
    [
      ['arn:aws:sts::111122223333:assumed-role/Orders', 'conn', 'server'],
      ['["i","s"]', 'conn', 'memory'],
      ['local', 'conn', 'memory'],
      ['c-conn', 'conn', 'memory'],
    ],
  )
  assert.equal(new Set(issued.map(({ tokenId }) => tokenId)).size, 1)
})
