import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { after, describe, type TestContext, test } from 'node:test'
import { exampleElements } from '../support/elements/elements.ts'
import type { HttpAnswer } from '../support/functions/function-caller.ts'
import {
  type IssueTokenWithScriptedServer,
  startIssueTokenWithScriptedServer,
} from '../support/functions/issue-token-with-scripted-server.ts'
import { tokenRequest } from '../support/functions/load-function.ts'
import { plant } from '../support/output/canary.ts'
import { confineToLoopback } from '../support/process/this-process.ts'
import { startScriptedTokenEndpoint } from '../support/servers/scripted-token-endpoint.ts'
import { createAuthority } from './authority.ts'
import { type Behaviour, fine, hostileTokens } from './behaviour.ts'
import { allFamilies, families } from './behaviours.ts'
import { besideOthers, cell, readmePath, rowsBelow, tableOf, withRowsBelow } from './table.ts'
import { spendTenMinutes } from './ten-minutes.ts'

/* Each behaviour on a real TLS server, from the caller's request to the caller's answer. */

const authority = await createAuthority()
const certificate = await authority.issue()
const triedElsewhere = confineToLoopback()
const elsewhere = await startScriptedTokenEndpoint(() => fine(), { certificate })
after(() => elsewhere.close())
/** No result here depends on the algorithm, and keys for this one are made at once. */
const quickKeys = { signatureAlgorithm: 'ES256' }

/** The limit while a server fails or issues tokens of one minute: at most one request in 12 s, plus repetitions. */
const mostInTenMinutes = 50
let underWay: Promise<unknown> = Promise.resolve()

/** One after the other, because a function reads the environment of the process while it loads. */
function inTurn<T>(start: () => Promise<T>): Promise<T> {
  const started = underWay.then(start, start)
  underWay = started.catch(() => {})
  return started
}

async function startHostile(
  t: TestContext,
  { script, changes, endpoint, elements: own }: Behaviour,
): Promise<IssueTokenWithScriptedServer> {
  const elements = (issuer: string) =>
    own?.(issuer) ?? exampleElements(issuer, { ...changes, builder: { ...quickKeys, ...changes?.builder } })
  const options = { certificate, ...(await endpoint?.(authority)) }
  return startIssueTokenWithScriptedServer(
    t,
    elements,
    (request, response, index) => {
      const answer = script(request, response, index, elsewhere.issuer)
      // A token from the server may appear in no log, and only in the token member of an answer.
      for (const token of hostileTokens()) plant(token)
      return answer
    },
    options,
  )
}

/** @param seconds how much of the lifetime may have passed */
function outcomeOf({ status, body }: HttpAnswer, asked: number, seconds: number): string {
  if (status !== 200) return `${status} ${body['error']}`
  if (body['source'] !== 'server') return String(body['source'])
  const passed = asked - Number(body['expires_in'])
  return `200, ${passed >= 0 && passed <= Math.ceil(seconds) ? asked : body['expires_in']} s`
}

async function checkBehaviour(t: TestContext, behaviour: Behaviour): Promise<void> {
  const { form = '', outcome, rejects, atMostSeconds } = behaviour
  const set = await inTurn(() => startHostile(t, behaviour))
  const asked = Number(/^200, (\d+) s$/.exec(outcome)?.[1])

  const startedAt = performance.now()
  const got = await set.http(tokenRequest('conn', form))
  const seconds = (performance.now() - startedAt) / 1000
  assert.equal(outcomeOf(got, asked, seconds), outcome, JSON.stringify(got.body))
  assert.equal(set.attempts(), behaviour.requests)
  assert.ok(seconds <= atMostSeconds, `${seconds} s are more than ${atMostSeconds} s`)
  if (behaviour.retryAfter !== undefined) {
    const wait = Number(got.headers['retry-after'])
    assert.ok(Math.abs(wait - behaviour.retryAfter) <= 1, `Retry-After is ${wait}`)
  }

  const query = rejects ? `rejected_token_id=${got.body['token_id']}` : ''
  const again = await set.http(tokenRequest('conn', form, query))
  const secondsInAll = (performance.now() - startedAt) / 1000
  assert.equal(outcomeOf(again, asked || 300, secondsInAll), behaviour.again, JSON.stringify(again.body))
  assert.equal(set.attempts(), behaviour.requestsInAll)
  if (again.status !== 200 && behaviour.requestsInAll === behaviour.requests)
    assert.ok(Number(again.headers['retry-after']) > 0, 'the answer names no time for a retry')

  const ids = set.requests.map(({ jwtId, headers }) => jwtId ?? headers.authorization ?? headers['x-password'])
  if (!behaviour.sendsPassword) assert.equal(new Set(ids).size, ids.length, 'an assertion was sent twice')
  assert.ok(set.requests.every(({ headers }) => headers.cookie === undefined))
  for (const { body } of [got, again]) assert.ok(!('refresh_token' in body) && !('id_token' in body))
}

for (const { title, behaviours } of allFamilies)
  describe(title, { concurrency: 4 }, () => {
    for (const behaviour of behaviours)
      test(`${behaviour.name}: ${behaviour.outcome}, ${behaviour.requests} requests`, (t) =>
        checkBehaviour(t, behaviour))
  })

test('none of these behaviours makes Tokenwell send anything to another server', () => {
  assert.equal(elsewhere.attempts(), 0)
  assert.deepEqual(triedElsewhere, [])
})

test('the tables in the README have exactly the results of this run, and no server gets many requests', async (t) => {
  const all = allFamilies.flatMap(({ behaviours }) => behaviours)
  const tenMinutes = await spendTenMinutes(t, all, authority, elsewhere.issuer)
  for (const [name, { requests }] of tenMinutes) assert.ok(requests <= mostInTenMinutes, `${name}: ${requests}`)
  for (const family of allFamilies) {
    const table = tableOf(family, tenMinutes)
    for (const line of table) t.diagnostic(line)
    if (process.env['TOKENWELL_UPDATE_TABLES'] === '1') writeFileSync(readmePath, withRowsBelow(family.title, table))
    assert.deepEqual(rowsBelow(family.title), table)
  }
})

test('every behaviour has a row in the table "Beside other clients"', () => {
  const rows = rowsBelow(besideOthers)
  const names = families.flatMap(({ behaviours }) => behaviours.map(({ name }) => cell(name)))
  assert.deepEqual(
    rows
      .filter((row) => !/^\| (behaviour|---|\*.*\*) \|/.test(row))
      .map((row) => row.split(' | ')[0]?.slice('| '.length)),
    names,
  )
})

test('no two behaviours have the same name', () => {
  const names = allFamilies.flatMap(({ behaviours }) => behaviours.map(({ name }) => name))
  assert.deepEqual(names.toSorted(), [...new Set(names)].sort())
})
