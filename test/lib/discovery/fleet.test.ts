import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import type { LocatedServer, ServedConnection } from '../../../lib/configuration/connection.ts'
import type { MetadataSource } from '../../../lib/discovery/metadata-source.ts'
import type { TokenEndpoint } from '../../../lib/token-endpoint/token-endpoint.ts'
import { UnreachableError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import { createVirtualFleet, seededRandom, warmConnection } from '../../support/virtual/virtual-fleet.ts'
import { createVirtualTime } from '../../support/virtual/virtual-time.ts'

/* 16 processes and a server that describes itself, on a virtual clock. */

const issuer = 'https://as.example.com'
const processes = 16

function described(name: string): ServedConnection {
  const connection = warmConnection({ name, server: 'as' })
  const { tokenEndpoint: _written, ...settings } = connection.authorizationServer as LocatedServer
  return { ...connection, authorizationServer: { ...settings, issuer, discovery: { hosts: [], noProxy: [] } } }
}

function start(names: readonly string[]) {
  const time = createVirtualTime()
  const far = { isDown: false, documents: 0, posts: [] as string[] }
  const metadataSource: MetadataSource = {
    async get() {
      far.documents++
      await time.pause(50)
      if (far.isDown) throw new UnreachableError('No server listens there.', { wasSent: false })
      return { status: 200, body: JSON.stringify({ issuer, token_endpoint: `${issuer}/token` }) }
    },
  }
  const tokenEndpoint: TokenEndpoint = {
    async post(server, { write }) {
      far.posts.push(server.tokenEndpoint)
      await write()
      await time.pause(50)
      return {
        status: 200,
        body: JSON.stringify({ access_token: `token-${far.posts.length}`, token_type: 'Bearer', expires_in: 600 }),
      }
    },
  }
  const fleet = createVirtualFleet({
    ...{ time, tokenEndpoint, metadataSource, random: seededRandom() },
    connections: names.map(described),
    store: memoryRecords({ maximumRecords: 10_000 }),
  })
  const callers = Array.from({ length: processes }, () => fleet.caller())
  const ask = (process: number, connection: string) =>
    callers[process % processes]?.getToken(
      { caller: `caller-${process}`, connection, further: {} },
      time.now() + 20_000,
    ) ?? assert.fail()
  return { time, far, fleet, ask }
}

test('16 processes that need the same token make one discovery and one token request', async () => {
  const { time, far, ask } = start(['orders'])
  const tokens = await time.until(Promise.all(Array.from({ length: 160 }, (_each, index) => ask(index, 'orders'))))
  assert.equal(new Set(tokens.map(({ token }) => token.accessToken.reveal())).size, 1)
  assert.deepEqual([far.documents, far.posts], [1, [`${issuer}/token`]])
})

test('16 processes that need many tokens of a server make at most one discovery each', async () => {
  const names = Array.from({ length: 64 }, (_each, index) => `conn-${index}`)
  const { time, far, ask } = start(names)
  await time.until(Promise.all(names.map((name, index) => ask(index, name))))
  assert.equal(far.posts.length, names.length)
  assert.equal(far.documents, processes)
})

test('a server that is down at discovery gets few requests from 16 processes, and tokens come again after it', async () => {
  const names = Array.from({ length: 8 }, (_each, index) => `conn-${index}`)
  const { time, far, ask } = start(names)
  far.isDown = true
  for (let round = 0; round < 10; round++) {
    const asked = Array.from({ length: 160 }, (_each, index) => ask(index, `conn-${index % 8}`))
    const outcomes = await time.until(Promise.allSettled(asked))
    assert.ok(outcomes.every(({ status }) => status === 'rejected'))
    await time.advance(1_000)
  }
  // 1,600 calls. Without cool-downs each would ask.
  assert.ok(far.documents <= 60, String(far.documents))
  assert.equal(far.posts.length, 0)
  far.isDown = false
  await time.advance(300_000)
  await time.until(ask(0, 'conn-0'))
  assert.deepEqual(far.posts, [`${issuer}/token`])
})

test('a warm run renews tokens of a server that describes itself', async () => {
  const { time, far, fleet, ask } = start(['orders'])
  await time.until(ask(0, 'orders'))
  await time.advance(560_000)
  await time.until(fleet.renewer().warmTokens(time.now() + 52_000))
  assert.deepEqual(far.posts, [`${issuer}/token`, `${issuer}/token`])
})
