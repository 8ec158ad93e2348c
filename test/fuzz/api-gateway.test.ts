import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createLocalContext } from '../../infra/local/http-gateway.ts'
import {
  type AccessMatrix,
  asConfigured,
  type Instance,
  inOneForm,
  readWanted,
  startAccessMatrix,
} from '../support/functions/access-matrix.ts'
import { contextFor } from '../support/functions/alias.ts'
import { overhear, overhearAnswer } from '../support/output/canary.ts'
import { type Members, membersOf, namedConnection, textOf, wantedOf } from './asked-for.ts'
import { callEvent, keysEvent, someTokenId, tokenEvent } from './hostile-http-events.ts'
import { holdsFor } from './seeded.ts'

/*
 * Events of API Gateway and direct invocations. Most of them are hostile in one part, and several at a time go to
 * instances that share a cache. The servers work. So each failure must be the caller's mistake, except for the
 * connection `broken`.
 */

interface Call {
  readonly event: unknown
  readonly instance: number
}

const several = (event: fc.Arbitrary<unknown>) =>
  fc.array(fc.record({ event, instance: fc.nat(2) }), { minLength: 1, maxLength: 6 })

test('issue-token answers with an error that the caller can read, or with exactly the requested token', async (t) => {
  const matrix = await startAccessMatrix(t)
  const ids: string[] = []
  const tally = new Map<string, number>()
  await holdsFor(t, 400, several(tokenEvent), async (calls) => {
    await Promise.all(calls.map((call) => issue(matrix, call, ids, tally)))
  })
  t.diagnostic(describe(tally))
  demandSome(tally, ['200', '400', '403', '404'])
})

test("call-api answers with an error that the caller can read, or calls the connection's API with the connection's token", async (t) => {
  const matrix = await startAccessMatrix(t)
  const tally = new Map<string, number>()
  await holdsFor(t, 300, several(callEvent), async (calls) => {
    await Promise.all(calls.map((call) => callBy(matrix, call, tally)))
  })
  t.diagnostic(describe(tally))
  demandSome(tally, ['API', '400', '403', '404'])
  for (const { url, headers } of matrix.api.requests) assert.equal(headers['x-injected'], undefined, url)
})

test('publish-keys answers with public keys, or with an error that the caller can read', async (t) => {
  const { publishKeys } = await startAccessMatrix(t)
  const tally = new Map<string, number>()
  await holdsFor(t, 300, keysEvent, async (event) => {
    const answer = membersOf(await publishKeys(structuredClone(event), createLocalContext(Date.now())))
    const { status, body } = readHttpAnswer(answer)
    count(tally, String(status))
    if (status >= 400) demandError(body)
    assert.ok(status < 500, `a ${status}`)
  })
  t.diagnostic(describe(tally))
  demandSome(tally, ['400', '404'])
})

function instanceOf({ instances }: AccessMatrix, { instance }: Call): Instance {
  return instances[instance] ?? assert.fail('no such instance')
}

async function issue(matrix: AccessMatrix, call: Call, ids: string[], tally: Map<string, number>): Promise<void> {
  const event = withTokenId(structuredClone(call.event), ids)
  const asked: unknown = structuredClone(event)
  const { issueToken, isGuarded } = instanceOf(matrix, call)
  const answer = membersOf(await issueToken(event, contextFor(event)))
  overhearAnswer(answer)

  const isHttp = membersOf(asked)['requestContext'] !== undefined && 'version' in membersOf(asked)
  const { status, body, headers } = 'statusCode' in answer ? readHttpAnswer(answer) : readDirectAnswer(answer)
  if ('statusCode' in answer) {
    assert.equal(headers['cache-control'], 'no-store')
    assert.ok(status === 204 || headers['content-type'] === 'application/json')
  }
  count(tally, String(status))
  const connection = namedConnection(asked)
  if (status >= 400) {
    demandError(body)
    // Expected if the token replaced a rejected one within the interval between rejections.
    const isTooSoon = status === 503 && JSON.stringify(asked).includes('rejected_token_id')
    assert.ok(status < 500 || connection === 'broken' || isTooSoon, `a ${status}: ${JSON.stringify(body)}`)
    return
  }
  if (Array.isArray(body['connections'])) return demandListed(body['connections'], isGuarded && isHttp, asked)
  if (isGuarded && 'statusCode' in answer) assert.ok(isListed(asked, connection), 'no claim lists it')
  if (status === 204) return

  const token = body['access_token']
  assert.ok(typeof token === 'string')
  const issuedFor = matrix.issuedFor(token)
  assert.ok(issuedFor, 'no server issued the token')
  assert.equal(inOneForm(issuedFor), inOneForm(asConfigured(wantedOf(asked))), 'the token of another request')
  assert.ok(!JSON.stringify(asked).includes(String(body['token_id'])), 'the token that was rejected')
  ids.push(String(body['token_id']))
}

async function callBy(matrix: AccessMatrix, call: Call, tally: Map<string, number>): Promise<void> {
  const event: unknown = structuredClone(call.event)
  const { callApi, isGuarded } = instanceOf(matrix, call)
  const answer = membersOf(await callApi(event, contextFor(event)))
  const { status, headers } = readHttpAnswer(answer)
  const { connection, path } = pathOfCall(call.event)
  if (headers['proxy-status'] === undefined) {
    count(tally, 'API')
    assert.equal(status, 200)
    assert.ok(connection !== undefined && connection !== 'broken', 'a call without a connection')
    assert.equal(headers['x-api-of'], connection, `the API of another connection: ${path}`)
    const wanted = asConfigured(readWanted(connection, []))
    assert.equal(
      decodeURIComponent(String(headers['x-token-of'])),
      inOneForm(wanted),
      'the token of another connection',
    )
    if (isGuarded) assert.ok(isListed(call.event, connection), 'no claim lists it')
    return
  }
  count(tally, String(status))
  overhear(JSON.stringify(answer))
  demandError(readHttpAnswer(answer).body)
  assert.match(String(headers['proxy-status']), /^tokenwell; error=[a-z_]+$/)
  assert.ok(status < 500 || connection === 'broken', `a ${status}: ${String(answer['body'])}`)
}

function pathOfCall(event: unknown): { readonly connection?: string; readonly path: string } {
  const path = textOf(membersOf(event)['rawPath'])
  const [, connection] = /^(?:\/v1)?\/connections\/([^/]+)\/api\//.exec(path) ?? []
  return { path, ...(connection !== undefined && { connection }) }
}

/** Whether the claim lists that name as a word, in a string or in a list of strings. */
function isListed(event: unknown, connection: string | undefined): boolean {
  const { authorizer } = membersOf(membersOf(event)['requestContext'])
  const claim = membersOf(membersOf(membersOf(authorizer)['jwt'])['claims'])['connections']
  const texts = (Array.isArray(claim) ? claim : [claim]).filter((each) => typeof each === 'string')
  return texts.some((each) => each.split(/[^\w.-]+/).includes(String(connection)))
}

function demandListed(listed: readonly unknown[], isGuarded: boolean, asked: unknown): void {
  for (const each of listed) {
    const name = membersOf(each)['connection']
    assert.ok(!isGuarded || isListed(asked, String(name)), 'a connection that no claim lists')
  }
}

/** Inserts an id that was handed out, for any connection. */
function withTokenId(event: unknown, ids: readonly string[]): unknown {
  const members = membersOf(event)
  const query = members['rawQueryString']
  const id = ids.at(-1 - (ids.length % 7)) ?? ids[0]
  if (typeof query !== 'string' || id === undefined) return event
  return { ...members, rawQueryString: query.replace(someTokenId, id) }
}

interface Answer {
  readonly status: number
  readonly headers: Members
  readonly body: Members
}

function readHttpAnswer(answer: Members): Answer {
  const { statusCode, headers, body } = answer
  assert.ok(typeof statusCode === 'number' && statusCode >= 200 && statusCode < 600, 'no status')
  const read: unknown = JSON.parse(typeof body === 'string' && body.startsWith('{') ? body : '{}')
  return { status: statusCode, headers: membersOf(headers), body: membersOf(read) }
}

function readDirectAnswer(answer: Members): Answer {
  return { status: Number(answer['status'] ?? 200), headers: {}, body: answer }
}

/** The error members of RFC 6749 section 5.2. */
function demandError({ error, error_description: description, request_id: requestId }: Members): void {
  assert.match(
    String(error),
    /^(invalid_request|access_denied|server_error|temporarily_unavailable|invalid_grant|unsupported_grant_type|invalid_scope)$/,
  )
  assert.match(String(description), /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/)
  assert.match(String(requestId), /^[\w-]+$/)
}

function count(tally: Map<string, number>, what: string): void {
  tally.set(what, (tally.get(what) ?? 0) + 1)
}

function describe(tally: ReadonlyMap<string, number>): string {
  return [...tally]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([what, times]) => `${what}: ${times}`)
    .join(', ')
}

/** Without these the events are not what they should be, and the test proves nothing. */
function demandSome(tally: ReadonlyMap<string, number>, expected: readonly string[]): void {
  if (process.env['TOKENWELL_FUZZ_RUNS'] !== undefined) return
  for (const what of expected) assert.ok(tally.has(what), `no event led to ${what}`)
}
