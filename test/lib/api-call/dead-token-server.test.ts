import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createApplication, createCallingApplication } from '../../../lib/application/application.ts'
import { createConnectionCache } from '../../../lib/configuration/connection-cache.ts'
import { UnreachableError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import { localDeployment } from '../../support/elements/element-store.ts'
import { withDefaultPorts } from '../../support/virtual/default-ports.ts'
import { sessionToken, severalTokens } from '../../support/virtual/several-tokens.ts'
import { changeableElements, virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'
import {
  plainFingerprints,
  thePassword,
  theSigners,
  type VirtualRequest,
  virtualTokenEndpoint,
} from '../../support/virtual/virtual-ports.ts'
import { createVirtualTime } from '../../support/virtual/virtual-time.ts'

/** Calls of an API with three tokens. The token server of one of them is down until the test mends it. */
function createCalls() {
  const time = createVirtualTime()
  const { now, pause } = time
  const far = { isDown: true }
  const requests: VirtualRequest[] = []
  const calls: Readonly<Record<string, string>>[] = []
  const elements = changeableElements(severalTokens({ endpoint: { host: 'https://api.example.com' } }))
  const log = () => {}
  const ports = withDefaultPorts({
    ...{ elements, now, pause, log, secrets: thePassword, signers: theSigners },
    connections: createConnectionCache({
      ...{ elements, deployment: localDeployment, fingerprints: plainFingerprints, now, pause, log },
    }),
    tokenEndpoint: virtualTokenEndpoint(
      ({ server }) => {
        if (server === 'theServer') return virtualToken()
        if (far.isDown) throw new UnreachableError('Nobody listens at the token endpoint.')
        return sessionToken()
      },
      requests,
      time,
      50,
    ),
  })
  const calling = createCallingApplication({
    ...ports,
    apiEndpoint: {
      async send(_api, { credentials }) {
        calls.push(Object.fromEntries(Object.entries(credentials).map(([name, value]) => [name, value.reveal()])))
        return { status: 200, headers: {}, body: new Uint8Array() }
      },
    },
  })
  const call = () =>
    time.until(
      calling.callApi(
        {
          ...{ caller: 'direct', connection: 'conn', callerPath: '/connections/conn/api' },
          ...{ method: 'GET', path: '/orders', query: '', headers: {} },
        },
        now() + 25_000,
      ),
    )
  const requestsTo = (server: string) => requests.filter((each) => each.server === server).length
  return { time, far, calls, call, requestsTo, tokens: createApplication(ports) }
}

test('while the token server of one token is down, calls fail at once, and the other tokens are neither lost nor requested again', async () => {
  const { time, far, calls, call, requestsTo, tokens } = createCalls()
  await assert.rejects(call(), { code: 'cooling_down' })
  await assert.rejects(call(), { code: 'cooling_down' })
  const [main, session] = [requestsTo('theServer'), requestsTo('sessionServer')]
  const before = time.now()
  for (let index = 0; index < 20; index++) await assert.rejects(call(), { code: 'cooling_down' })
  assert.deepEqual([requestsTo('theServer'), requestsTo('sessionServer')], [main, session])
  assert.equal(main, 1)
  assert.equal(time.now(), before, 'a caller waits')
  assert.equal(calls.length, 0, 'a call lacks a token')

  const request = { caller: 'direct', connection: 'conn', further: {} } as const
  const { source, token } = await time.until(tokens.getToken(request, time.now() + 25_000))
  assert.equal(source, 'memory')

  far.isDown = false
  await time.advance(60_000)
  await call()
  const [sent] = calls
  assert.deepEqual(Object.keys(sent ?? {}).toSorted(), ['authorization', 'x-session', 'x-signed'])
  assert.equal(sent?.['authorization'], `Bearer ${token.accessToken.reveal()}`)
  assert.deepEqual([requestsTo('theServer'), requestsTo('sessionServer')], [1, session + 1])
})
