import assert from 'node:assert/strict'
import { test } from 'node:test'
import { elementStoreOf } from '../../support/elements/element-store.ts'
import { createTokensInVirtualTime } from '../../support/virtual/tokens-in-virtual-time.ts'

/* A connection whose calls have user and password only: nothing is renewed, staged or warmed, and nothing fails. */

const elements = {
  endpointConnection: { conn: { authenticationConfigRef: 'basic', host: 'https://api.example.com' } },
  authData: { basic: { user: 'alice', passwordSecret: 'tokenwell/local/basic' } },
}

test('no event and no warm run of a connection without tokens requests a token or fails', async (t) => {
  const store = await elementStoreOf(t, elements)
  const tokens = createTokensInVirtualTime(() => assert.fail('There is no token endpoint.'), { elements: store })
  const events = [
    { type: 'ConnectionChanged', connection: 'conn' },
    { type: 'ElementChanged', kind: 'authData', id: 'basic' },
    { type: 'ElementChanged', kind: 'endpointConnection', id: 'conn' },
    { type: 'SecretChanged', name: 'tokenwell/local/basic' },
    { type: 'TokenRefreshRequested', connection: 'conn', tokenId: 'A'.repeat(22) },
    { type: 'TokenRejected', connection: 'conn', tokenId: 'A'.repeat(22) },
    { type: 'ClearTokenCache', connection: 'conn' },
    { type: 'ClearTokenCache' },
    { type: 'ReconcileElements' },
  ] as const
  for (const event of events) await tokens.time.until(tokens.answer(event))
  assert.deepEqual(await tokens.time.until(tokens.warm()), { due: 0, renewed: 0, failed: 0, left: 0 })
  assert.equal(tokens.requests.length, 0)
  const failures = tokens.events.filter(({ event }) => /failed|not_/.test(event))
  assert.deepEqual(failures, [])
})
