import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plainConnection } from '../../support/elements/plain-connection.ts'
import { createFaultInjectingStore, isDown } from '../../support/virtual/fault-injecting-store.ts'
import {
  createTokensInVirtualTime,
  type TokensInVirtualTime,
  virtualToken,
} from '../../support/virtual/tokens-in-virtual-time.ts'

/* A request that only repeats the elements asks for the connection's own token. */

const parameters = {
  scope: ['a', 'b'],
  resource: ['https://api.example'],
  audience: 'aud',
  further: { tenant: 't', region: 'r' },
}
const connection = { ...plainConnection, parameters }
const repeated = [
  { scope: ['a', 'b'] },
  { scope: ['b', 'a', 'b'] },
  { resource: ['https://api.example'] },
  { audience: 'aud' },
  { further: { tenant: 't' } },
  { ...parameters, further: { region: 'r', tenant: 't' } },
]
const other = [{ scope: ['a'] }, { scope: ['b'], further: { region: 'r' } }]

async function askAll(tokens: TokensInVirtualTime): Promise<void> {
  for (const request of repeated) await tokens.time.until(tokens.get(request))
}

test('a request that repeats the elements gets the own token in every process, and no further one is requested', async () => {
  const one = createTokensInVirtualTime(() => virtualToken(), { connection })
  const { token } = await one.time.until(one.get())
  await askAll(one)
  for (const request of repeated) assert.equal((await one.time.until(one.get(request))).source, 'memory')
  const another = createTokensInVirtualTime(() => virtualToken(), { connection, fleet: one })
  await askAll(another)
  assert.equal((await another.time.until(another.get())).token.id, token.id)
  assert.equal(one.requests.length + another.requests.length, 1)
  for (const request of other) {
    const asked = await one.time.until(one.get(request))
    assert.notEqual(asked.token.id, token.id)
  }
})

test('a rejected token is replaced for all its requests, with or without repetition', async () => {
  const tokens = createTokensInVirtualTime(() => virtualToken(), { connection })
  const { token } = await tokens.time.until(tokens.get({ scope: ['a', 'b'] }))
  await tokens.time.until(tokens.get())
  await tokens.time.advance(11_000)
  const replaced = await tokens.time.until(tokens.get({ audience: 'aud', rejectedTokenId: token.id }))
  assert.notEqual(replaced.token.id, token.id)
  for (const request of [{}, { scope: ['a', 'b'] }])
    assert.equal((await tokens.time.until(tokens.get(request))).token.id, replaced.token.id)
})

test('without the shared cache a request that repeats the elements gets the own token as well', async () => {
  const store = createFaultInjectingStore()
  store.before = { read: isDown, write: isDown }
  const tokens = createTokensInVirtualTime(() => virtualToken(), { connection, store })
  const { token } = await tokens.time.until(tokens.get())
  for (const request of repeated) assert.equal((await tokens.time.until(tokens.get(request))).token.id, token.id)
  assert.equal(tokens.requests.length, 1)
})

test('a token near its end is replaced at most once in 10 s for callers that want it to live longer', async () => {
  const tokens = createTokensInVirtualTime(() => virtualToken({ expires_in: 60 }))
  for (let second = 0; second < 60; second++) {
    await tokens.time.until(tokens.get({ minimumSeconds: 59 }).catch(() => {}))
    await tokens.time.advance(1_000)
  }
  assert.ok(tokens.requests.length <= 7, `${tokens.requests.length} requests`)
})
