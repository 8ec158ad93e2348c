import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ApiRequest } from '../../../lib/api-call/api-endpoint.ts'
import { createApiCaller } from '../../../lib/api-call/call-api.ts'
import { createConnectionCache } from '../../../lib/configuration/connection-cache.ts'
import { createFingerprints } from '../../../lib/fleet/fingerprints.ts'
import { withoutSealing } from '../../../lib/fleet/sealing.ts'
import { localDeployment } from '../../support/elements/element-store.ts'
import { changed, createFleetWithEventBus } from '../../support/virtual/fleet-with-event-bus.ts'
import { sessionToken, severalTokens } from '../../support/virtual/several-tokens.ts'
import { changeableElements, virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'
import { thePassword } from '../../support/virtual/virtual-ports.ts'

/* The fleet uses elements that this instance has not read yet, and the connection has other tokens in them. */

const host = 'https://api.example.com'

/** An instance of call-api whose fleet hears of a change from the tokens `before` to the tokens `after`. */
async function callAfterChange(before: readonly string[], after: readonly string[]) {
  const elements = changeableElements(
    severalTokens({ endpoint: { authenticationConfigRef: before, host, warm: false } }),
  )
  const fleet = createFleetWithEventBus(({ server }) => (server === 'theServer' ? virtualToken() : sessionToken()), {
    elements,
  })
  const { now, pause } = fleet.time
  const sent: ApiRequest[] = []
  const fingerprints = createFingerprints({ sealing: withoutSealing(new Uint8Array(32)), earlierRecords: 'none' })
  const connections = createConnectionCache({
    ...{ elements, deployment: localDeployment, fingerprints, now, pause },
    log() {},
  })
  const instance = fleet.join({ connections })
  const caller = createApiCaller({
    connections,
    tokens: { get: (request, deadline) => instance.get(request, deadline - now()) },
    secrets: thePassword,
    apiEndpoint: {
      async send(_api, request) {
        sent.push(request)
        return { status: 200, headers: {}, body: Buffer.alloc(0) }
      },
    },
    ...{ now, pause },
    log() {},
  })
  const call = () =>
    caller.call(
      {
        ...{ caller: 'local', connection: 'conn', callerPath: '/connections/conn/api' },
        ...{ method: 'GET', path: '/', query: '', headers: {} },
      },
      now() + 25_000,
    )
  await fleet.time.until(call())
  elements.change(severalTokens({ endpoint: { authenticationConfigRef: after, host, warm: false } }))
  await fleet.answer(changed)
  await fleet.time.until(call())
  return sent.map(({ credentials }) =>
    Object.fromEntries(Object.entries(credentials).map(([name, value]) => [name, value.reveal()])),
  )
}

test('a connection that has lost a token makes its next call without it', async () => {
  const [first, second] = await callAfterChange(['theConfig', 'session', 'signed'], ['theConfig', 'signed'])
  assert.deepEqual(Object.keys(first ?? {}), ['authorization', 'x-session', 'x-signed'])
  assert.deepEqual(Object.keys(second ?? {}), ['authorization', 'x-signed'])
})

test('another main token is in its own header from the first call on', async () => {
  const [first, second] = await callAfterChange(['session', 'signed'], ['signed'])
  assert.deepEqual(Object.keys(first ?? {}), ['x-session', 'x-signed'])
  assert.deepEqual(Object.keys(second ?? {}), ['x-signed'])
})
