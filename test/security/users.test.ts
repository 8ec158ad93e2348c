import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { type TestContext, test } from 'node:test'
import { ScanCommand } from '@aws-sdk/client-dynamodb'
import { decodeJwt } from 'jose'
import { createLocalContext } from '../../infra/local/http-gateway.ts'
import { eventChannel } from '../../lib/adapters/process/published-bus.ts'
import { subjectSegment } from '../../lib/configuration/subject.ts'
import { exampleElements } from '../support/elements/elements.ts'
import { startCaller } from '../support/functions/function-caller.ts'
import {
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../support/functions/issue-token-with-scripted-server.ts'
import { loadFunction, tokenRequest, writeSecret } from '../support/functions/load-function.ts'
import { leaks, plant } from '../support/output/canary.ts'
import { captureLog } from '../support/output/captured-log.ts'
import { pointSdkAt, startDynalite } from '../support/servers/dynalite.ts'

/* A user whom a request names is in no log, record, event or index, and no token for a user is renewed while no caller waits. */

const alice = 'canary-alice@example.com'
const zoe = 'canary-Zoë-Müller'
const refusedUser = 'canary-mallory@example.com'
const pid = 'canary-pid-01017012345'
const userNames = [alice, zoe, subjectSegment(zoe), refusedUser, pid, 'canary-mallory', 'canary-alice']
for (const name of userNames) plant(name)

test('no record, event, log, index or answer has a user in any encoding, and warm runs find no token for a user', async (t) => {
  const { ask, items, events, log, warm, requests } = await startFleet(t)
  for (const user of [alice, zoe]) {
    assert.equal((await ask(user))['source'], 'server')
    assert.equal((await ask(user))['source'], 'cache')
  }
  const refused = await ask(refusedUser)
  assert.equal(refused['error'], 'invalid_grant')
  const first = await ask(alice)
  assert.equal((await ask(alice, `rejected_token_id=${String(first['token_id'])}`))['source'], 'server')

  const all = await items()
  assert.ok(all.filter(({ sealedToken }) => sealedToken).length >= 2, 'no record holds a token')
  assert.ok(
    all.some(({ failure }) => failure),
    'no record holds a failure',
  )
  assert.deepEqual(
    all.filter(({ due, dueAt }) => due ?? dueAt),
    [],
    'no record is due for a warm run',
  )
  const before = requests.length
  assert.deepEqual(await warm(), { due: 0, renewed: 0, failed: 0, left: 0 })
  assert.equal(requests.length, before)

  const encoded = userNames.flatMap((name) => [
    encodeURIComponent(name),
    ...(['base64', 'base64url', 'hex'] as const).map((encoding) => Buffer.from(name).toString(encoding)),
  ])
  assert.ok(
    log.some(({ event }) => event === 'token_issued') && log.some(({ event }) => event === 'token_request_refused'),
  )
  const texts = [JSON.stringify(log), JSON.stringify(events), ...all.flatMap((item) => textsOf(item))]
  assert.deepEqual(leaks([...userNames, ...encoded], texts), [])
})

async function startFleet(t: TestContext) {
  const database = await startDynalite(t)
  pointSdkAt(t, database.endpoint)
  const table = 'users'
  await database.createTable(table)
  const { workspace, requests } = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => {
      const oAuth = {
        ...{ grantType: 'jwt-bearer', assertionTokenRef: 'theTokenConfig', clientId: 'theClient' },
        ...{ jwtAuthenticationTokenRef: undefined, claimsFromRequest: { sub: true, pid: true } },
      }
      return exampleElements(issuer, { oAuth, tokenConfig: { tokenSubject: undefined } })
    },
    ({ form }) => {
      const { sub } = decodeJwt(form.get('assertion') ?? '')
      return sub === refusedUser
        ? { status: 400, body: { error: 'invalid_grant', error_description: 'unknown user' } }
        : tokenAnswer({ access_token: randomBytes(16).toString('base64url'), expires_in: 60 })
    },
  )
  const encryptionKeys = [{ kid: 'the-kid', k: randomBytes(32).toString('base64url') }]
  const keys = { namingKey: randomBytes(32).toString('base64url'), encryptionKeys }
  await writeSecret(workspace, 'cache', JSON.stringify(keys))
  const environment = {
    TOKENWELL_CACHE: `dynamodb:${table}`,
    TOKENWELL_MEMORY_SECONDS: '0',
    TOKENWELL_CACHE_BUDGET_MILLISECONDS: '10000',
    TOKENWELL_EVENTS: 'process',
  }
  const events: unknown[] = []
  const hear = (event: unknown) => void events.push(event)
  subscribe(eventChannel, hear)
  t.after(() => unsubscribe(eventChannel, hear))
  const caller = await startCaller(workspace, environment)
  const warmTokens = await loadFunction('warm-tokens', workspace, environment)
  return {
    ...{ events, requests, log: captureLog(t) },
    warm: () => warmTokens({}, createLocalContext(Date.now())),
    async ask(user: string, query = '') {
      const path = `/connections/conn/as/${subjectSegment(user)}/token`
      return (await caller.http({ ...tokenRequest('conn', `claim.pid=${pid}`, query), path })).body
    },
    async items() {
      return (await database.client.send(new ScanCommand({ TableName: table }))).Items ?? []
    },
  }
}

/** Every text of an item. Encoded text is also returned decoded. */
function textsOf(item: Readonly<Record<string, { S?: string }>>): string[] {
  const texts = [JSON.stringify(item), ...Object.values(item).flatMap(({ S: text = '' }) => text.split(/[./#]/))]
  return texts.flatMap((text) => [text, Buffer.from(text, 'base64url').toString('latin1')])
}
