import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { theElements } from '../support/elements.ts'
import { type HttpAnswer, tokenRequest } from '../support/the-set.ts'
import { startTokenServer } from '../support/token-server.ts'
import { type Behaviour, behaviours } from './behaviours.ts'

/* Each behaviour against a real TLS server, from the caller's request to the caller's answer. */

function outcomeOf({ status, body }: HttpAnswer, asked: number): string {
  if (status !== 200) return `${status} ${body['error']}`
  if (body['source'] !== 'server') return String(body['source'])
  // What is left, up to a second less for the way here.
  return `200, ${[0, 1].includes(asked - Number(body['expires_in'])) ? asked : body['expires_in']} s`
}

for (const behaviour of behaviours)
  test(`${behaviour.name}: ${behaviour.outcome}, ${behaviour.requests} requests`, async (t) => {
    const { script, changes, form = '', outcome } = behaviour
    const set = await startTokenServer(t, (issuer) => theElements(issuer, changes), script)
    const asked = Number(/^200, (\d+) s$/.exec(outcome)?.[1])

    const got = await set.http(tokenRequest('conn', form))
    assert.equal(outcomeOf(got, asked), outcome, JSON.stringify(got.body))
    assert.equal(set.requests.length, behaviour.requests)
    if (behaviour.retryAfter !== undefined) {
      const wait = Number(got.headers['retry-after'])
      assert.ok(Math.abs(wait - behaviour.retryAfter) <= 1, `Retry-After is ${wait}`)
    }

    const again = await set.http(tokenRequest('conn', form))
    assert.equal(outcomeOf(again, asked), behaviour.again, JSON.stringify(again.body))
    assert.equal(set.requests.length, behaviour.requestsInAll)
    if (again.status !== 200 && behaviour.requestsInAll === behaviour.requests)
      assert.ok(Number(again.headers['retry-after']) > 0, 'who is not asked for is told when')

    const ids = set.requests.map(({ jwtId }) => jwtId)
    assert.equal(new Set(ids).size, ids.length, 'no assertion twice')
    for (const { body } of [got, again]) assert.ok(!('refresh_token' in body) && !('id_token' in body))
  })

test('the table of behaviours in the README is the one that was run', (t) => {
  const table = tableOf(behaviours)
  for (const line of table) t.diagnostic(line)
  const readme = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8')
  const lines = readme.split('\n').filter((line) => line.startsWith('|'))
  assert.deepEqual(lines, table)
})

function tableOf(rows: readonly Behaviour[]): string[] {
  return [
    '| behaviour | the caller gets | requests | who comes right after gets | requests in all |',
    '| --- | --- | --- | --- | --- |',
    ...rows.map(({ name, outcome, requests, again, requestsInAll }) => {
      return `| ${name.replaceAll('|', '\\|')} | ${outcome} | ${requests} | ${again} | ${requestsInAll} |`
    }),
  ]
}
