import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exampleElements } from '../support/elements/elements.ts'
import { startCallApiWithScriptedServers } from '../support/functions/call-api-with-scripted-servers.ts'
import {
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest } from '../support/functions/load-function.ts'
import { captureLog } from '../support/output/captured-log.ts'

/* NODE_TLS_REJECT_UNAUTHORIZED, which many set to be rid of an error, is for all of a process. */

test('no environment variable turns the check of a token endpoint off', async (t) => {
  turnChecksOff(t)
  const log = captureLog(t)
  const { http, requests } = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => ({ ...exampleElements(issuer), ssl: {} }),
    () => tokenAnswer(),
  )
  assert.equal((await http(tokenRequest('conn'))).status, 503)
  assert.ok(
    log.some((each) => each.event === 'request_failed' && /shows a certificate of an unknown CA/.test(each.reason)),
  )
  assert.equal(requests.length, 0, 'no assertion went there')
})

test('nor that of an API', async (t) => {
  turnChecksOff(t)
  const { api, call } = await startCallApiWithScriptedServers(t, undefined, {
    elements: { endpoint: { sslCertsRef: undefined } },
  })
  const { status, proxyError } = await call()
  assert.deepEqual([status, proxyError], [502, 'tls_certificate_error'])
  assert.equal(api.requests.length, 0, 'no token went there')
})

function turnChecksOff(t: { mock: typeof import('node:test').mock; after(run: () => void): void }): void {
  t.mock.method(process, 'emitWarning', () => {})
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
  t.after(() => delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'])
}
