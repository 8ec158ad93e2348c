import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { inspect } from 'node:util'
import type { AwsTimeouts } from '../../../../lib/adapters/aws/aws-client.ts'
import { eventbridgeBus } from '../../../../lib/adapters/aws/eventbridge-bus.ts'
import type { ConnectionEvent, EventBus, TokenwellEvent } from '../../../../lib/events/event-bus.ts'
import { EventBusError } from '../../../../lib/events/event-bus.ts'
import { readIncomingEvent } from '../../../../lib/renewal/incoming-event.ts'
import { type AwsAnswer, type AwsProxy, awsError, startMotoBehindProxy } from '../../../support/servers/aws-proxy.ts'
import { startBlackHoleListener } from '../../../support/servers/black-hole-listener.ts'
import type { Moto } from '../../../support/servers/moto.ts'
import { someRole, withPermissionsLookedAt } from '../../../support/servers/moto-permissions.ts'
import { createQueue, type Queue } from '../../../support/servers/moto-queue.ts'
import { startTcpProxy } from '../../../support/servers/tcp-proxy.ts'

const busName = 'tokenwell-test'
/** Long enough for a busy machine. */
const patient: AwsTimeouts = { connect: 60_000, answer: 60_000, total: 60_000 }
const tokenId = 'a'.repeat(22)

test('a raised event reaches a queue behind a rule unchanged', async (t) => {
  await withBus(t, async ({ bus, queue }) => {
    const events: TokenwellEvent[] = [
      { type: 'TokenRefreshRequested', connection: 'conn', tokenId },
      { type: 'TokenRejected', connection: 'other', tokenId },
      { type: 'ConnectionChanged', connection: 'conn' },
    ]
    await bus.raise([...events, { type: 'TokenRefreshed', connection: 'conn', tokenId, expiresAt: 1_800_000_000 }])
    const messages = await queue.receive()
    assert.deepEqual(
      messages.map(({ body }) => readIncomingEvent(body, 'test')),
      events,
      'the rule lets no other through',
    )
  })
})

test('an entry names its source, and its detail is the event without its type', async (t) => {
  await withBus(t, async ({ bus, proxy }) => {
    await bus.raise([{ type: 'TokenRefreshFailed', connection: 'conn', code: 'unreachable' }])
    assert.deepEqual(
      proxy.requests.map(({ operation, body }) => [operation, body]),
      [
        [
          'PutEvents',
          {
            Entries: [
              {
                EventBusName: busName,
                Source: 'tokenwell-test',
                DetailType: 'TokenRefreshFailed',
                Detail: '{"connection":"conn","code":"unreachable"}',
              },
            ],
          },
        ],
      ],
    )
  })
})

test('one call puts up to ten events, and no event is lost or put twice', async (t) => {
  await withBus(t, async ({ bus, proxy, queue }) => {
    for (const [count, calls] of [
      [0, 0],
      [1, 1],
      [10, 1],
      [11, 2],
      [25, 3],
    ] as const) {
      const before = proxy.requests.length
      await bus.raise(someEvents(count))
      assert.equal(proxy.requests.length - before, calls, `${count} events`)
      assert.deepEqual((await connectionsIn(queue)).sort(), connectionsOf(someEvents(count)).sort())
    }
  })
})

test('the SDK reads the environment at the first event, not earlier', async (t) => {
  const bus = eventbridgeBus({ busName, stage: 'test', timeouts: patient })
  await withBus(t, async ({ queue }) => {
    await bus.raise(someEvents(1))
    assert.equal((await queue.receive()).length, 1)
  })
})

test('an entry that is rejected temporarily is put once more, without the others', async (t) => {
  for (const code of ['ThrottlingException', 'InternalFailure', 'InternalException'])
    await withBus(t, async ({ bus, proxy, queue }) => {
      proxy.answerNext(answerOf(['id', code, 'id', code]))
      await bus.raise(someEvents(4))
      assert.deepEqual((await connectionsIn(queue)).sort(), ['conn-1', 'conn-3'], code)
      assert.equal(proxy.requests.length, 2)
    })
})

test('an entry that is rejected twice is an error', async (t) => {
  const cases = [
    [
      'ThrottlingException',
      /^EventBridge throttles requests to the event bus tokenwell-test \(ThrottlingException\)\. Check that the account's quota/,
    ],
    [
      'InternalFailure',
      /^The event bus tokenwell-test did not answer in time or cannot be reached \(InternalFailure\)\. /,
    ],
  ] as const
  for (const [code, message] of cases)
    await withBus(t, async ({ bus, proxy }) => {
      proxy.answerNext(answerOf(['id', code]), answerOf([code]))
      await fails(bus, message, someEvents(2))
      assert.equal(proxy.requests.length, 2)
    })
})

test('an entry that is rejected late is not put again, because no time is left', async (t) => {
  await withBus(
    t,
    async ({ bus, proxy }) => {
      const busy = awsError(400, 'ThrottlingException')
      t.mock.method(Math, 'random', () => 1)
      // The call itself is throttled at first, which takes 1.5 s with its pauses.
      proxy.answerNext(busy, busy, answerOf(['ThrottlingException']), answerOf(['id']))
      await fails(bus, /throttles requests/)
      assert.equal(proxy.requests.length, 3)
    },
    { ...patient, total: 2_500 },
  )
})

test('an entry that is rejected permanently is not put again, and the error says what to do', async (t) => {
  const cases: readonly (readonly [string | undefined, RegExp])[] = [
    ['AccessDeniedException', / was denied \(AccessDeniedException\)\. Allow events:PutEvents on it/],
    ['NotAuthorizedForSourceException', / was denied \(NotAuthorizedForSourceException\)\. Allow events:PutEvents/],
    ['NotAuthorizedForDetailTypeException', / was denied \(NotAuthorizedForDetailTypeException\)\. Allow/],
    ['InvalidAccountIdException', / rejected the event \(InvalidAccountIdException\)/],
    ['MalformedDetail', / rejected the event \(MalformedDetail\)/],
    [undefined, / rejected the event \(no answer\)/],
  ]
  for (const [code, message] of cases)
    await withBus(t, async ({ bus, proxy }) => {
      proxy.answerNext(answerOf(['id', code]))
      await fails(bus, message, someEvents(2))
      assert.equal(proxy.requests.length, 1, code)
    })
})

test('a permanently rejected entry does not keep the others from being put again', async (t) => {
  await withBus(t, async ({ bus, proxy, queue }) => {
    proxy.answerNext(answerOf(['MalformedDetail', 'ThrottlingException', 'id']))
    await fails(bus, /MalformedDetail/, someEvents(3))
    assert.deepEqual(await connectionsIn(queue), ['conn-1'])
  })
})

test('a failed call does not stop the other calls', async (t) => {
  await withBus(t, async ({ bus, proxy, queue }) => {
    proxy.answerNext(awsError(400, 'AccessDeniedException'))
    await fails(bus, /was denied/, someEvents(25))
    assert.ok((await queue.receive()).length >= 15)
    assert.equal(proxy.requests.length, 3)
  })
})

test('the error for a missing bus names it', async (t) => {
  await withBus(t, async ({ proxy }) => {
    const other = eventbridgeBus({ busName: 'nowhere', stage: 'test', timeouts: patient })
    await fails(other, /^The event bus nowhere does not exist in this account and region\. Create it\.$/)
    assert.equal(proxy.requests.length, 1)
  })
})

test('events:PutEvents is the only right that it needs, and the error without it says what to allow', async (t) => {
  for (const action of ['events:PutEvents', 'events:DescribeEventBus'])
    await withBus(t, async ({ moto, queue }) => {
      const role = await someRole(moto.endpoint, [action])
      const bus = eventbridgeBus({ busName, stage: 'test', timeouts: patient })
      await withPermissionsLookedAt(moto.endpoint, async () => {
        Object.assign(process.env, role, { AWS_ENDPOINT_URL: moto.endpoint })
        if (action === 'events:PutEvents') await bus.raise(someEvents(1))
        else
          await fails(bus, /^Access to the event bus tokenwell-test was denied \(.+\)\. Allow events:PutEvents on it/)
      })
      assert.equal((await queue.receive()).length, action === 'events:PutEvents' ? 1 : 0)
    })
})

test('without credentials no request is sent', async (t) => {
  await withBus(t, async ({ bus, proxy }) => {
    delete process.env['AWS_ACCESS_KEY_ID']
    await fails(bus, /was denied \(CredentialsProviderError\)\. Allow events:PutEvents on it, and check/)
    assert.deepEqual(proxy.requests, [])
  })
})

test('a throttled, failed or cut off call is retried within its time limit', async (t) => {
  t.mock.method(Math, 'random', () => 0.1)
  await withBus(t, async ({ bus, proxy, queue }) => {
    proxy.answerNext(awsError(400, 'ThrottlingException'), awsError(500, 'InternalException'), 'reset')
    await bus.raise(someEvents(1))
    assert.equal((await queue.receive()).length, 1)
    assert.equal(proxy.requests.length, 4)
  })
})

test('a connection that was closed unnoticed is replaced', async (t) => {
  await withBus(t, async ({ moto, queue }) => {
    const tcp = await startTcpProxy(t, Number(new URL(moto.endpoint).port))
    process.env['AWS_ENDPOINT_URL'] = `http://127.0.0.1:${tcp.port}`
    const bus = eventbridgeBus({ busName, stage: 'test', timeouts: patient })
    await bus.raise(someEvents(1))
    tcp.cutWhenUsed()
    await bus.raise(someEvents(1))
    assert.equal((await queue.receive()).length, 2)
  })
})

test('throttling and outages beyond the time limit are different errors', async (t) => {
  t.mock.method(Math, 'random', () => 0.05)
  const cases: readonly (readonly [AwsAnswer, RegExp])[] = [
    [awsError(400, 'ThrottlingException'), /throttles requests to .* \(ThrottlingException\)/],
    [{ status: 429, body: '<html>' }, /throttles requests to .* \(HTTP 429\)/],
    [
      awsError(500, 'InternalException'),
      /did not answer in time or cannot be reached \(InternalException\)\. Check that/,
    ],
    [{ status: 503, body: '<html>' }, /cannot be reached \(HTTP 503\)/],
    [awsError(400, 'ValidationException'), /rejected the event \(ValidationException\)\. Check the name of the bus\./],
  ]
  for (const [answer, message] of cases)
    await withBus(
      t,
      async ({ bus, proxy }) => {
        proxy.answerAll(answer)
        await fails(bus, message)
      },
      { ...patient, total: 1_500 },
    )
})

test('a bus that does not answer costs its caller one second in total', async (t) => {
  for (const held of ['held', 'held in the middle', 'dripping', answerOf(['ThrottlingException'])] as const)
    await withBus(
      t,
      async ({ bus, proxy }) => {
        proxy.answerAll('held')
        proxy.answerNext(held)
        await failsInASecond(bus)
        await proxy.allClosed()
      },
      'default',
    )
})

test('dropped connections, or credentials that never arrive, cost one second in total', async (t) => {
  await withBus(
    t,
    async ({ bus, proxy }) => {
      process.env['AWS_ENDPOINT_URL'] = await startBlackHoleListener(t)
      await failsInASecond(bus)
      assert.deepEqual(proxy.requests, [])
    },
    'default',
  )
  await withBus(
    t,
    async ({ bus, proxy }) => {
      const credentials = await startTcpProxy(t, 1)
      credentials.hold()
      for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) delete process.env[name]
      process.env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] = `http://127.0.0.1:${credentials.port}`
      await failsInASecond(bus)
      assert.deepEqual(proxy.requests, [])
    },
    'default',
  )
})

test('the bus is unreachable if the endpoint refuses connections', async (t) => {
  await withBus(
    t,
    async ({ bus }) => {
      process.env['AWS_ENDPOINT_URL'] = 'http://127.0.0.1:9'
      await fails(bus, /cannot be reached \(ECONNREFUSED\)/)
    },
    { ...patient, total: 300 },
  )
})

test('no error message repeats the event', async (t) => {
  const quoting = JSON.stringify({ __type: 'ValidationException', message: 'hunter2' })
  const answers: AwsAnswer[] = [
    { status: 400, body: quoting },
    { status: 500, body: quoting },
    { status: 200, body: 'hunter2' },
    { status: 200, body: '{"Entries":[{"EventId":"hunter2"' },
    { status: 200, body: { Entries: [{ ErrorCode: 'MalformedDetail', ErrorMessage: 'hunter2' }] } },
  ]
  for (const answer of answers)
    await withBus(
      t,
      async ({ bus, proxy }) => {
        proxy.answerAll(answer)
        await fails(bus, /the event bus tokenwell-test /i, [{ type: 'ConnectionChanged', connection: 'hunter2' }])
      },
      { ...patient, total: 1_500 },
    )
})

interface TheBus {
  readonly moto: Moto
  readonly proxy: AwsProxy
  readonly bus: EventBus
  /** The queue behind a rule for events that ask for something. */
  readonly queue: Queue
}

/** A bus that reaches moto through a proxy. Without moto the test is skipped. */
async function withBus(
  t: TestContext,
  use: (parts: TheBus) => Promise<void>,
  timeouts: AwsTimeouts | 'default' = patient,
): Promise<void> {
  const started = await startMotoBehindProxy(t)
  if (!started) return
  const { moto, proxy } = started
  const queue = await createQueue(t, moto)
  const asking = ['TokenRefreshRequested', 'TokenRejected', 'ConnectionChanged']
  await queue.createBus(busName, { source: ['tokenwell-test'], 'detail-type': asking })
  const bus = eventbridgeBus({ busName, stage: 'test', ...(timeouts !== 'default' && { timeouts }) })
  await use({ moto, proxy, bus, queue })
}

function someEvents(count: number): ConnectionEvent[] {
  return Array.from({ length: count }, (_, index) => ({ type: 'ConnectionChanged', connection: `conn-${index}` }))
}

function connectionsOf(events: readonly ConnectionEvent[]): string[] {
  return events.map(({ connection }) => connection)
}

async function connectionsIn(queue: Queue): Promise<string[]> {
  const messages = await queue.receive()
  return messages.map(({ body }) => (JSON.parse(body) as { detail: { connection: string } }).detail.connection)
}

/** An answer with `id` for an accepted entry, its error code for a rejected one, or nothing. */
function answerOf(results: readonly (string | undefined)[]): AwsAnswer {
  const entries = results.map((each) => (each === 'id' ? { EventId: 'the-id' } : { ErrorCode: each }))
  const failed = entries.filter(({ EventId: id }) => id === undefined)
  return { status: 200, body: { FailedEntryCount: failed.length, Entries: entries } }
}

async function fails(bus: EventBus, message: RegExp, events: readonly TokenwellEvent[] = someEvents(1)): Promise<void> {
  await assert.rejects(bus.raise(events), (error) => {
    assert.ok(error instanceof EventBusError, inspect(error))
    assert.equal(error.code, 'event_bus')
    assert.match(error.message, message)
    assert.doesNotMatch(inspect(error, { depth: 9, showHidden: true }), /hunter2/)
    return true
  })
}

async function failsInASecond(bus: EventBus): Promise<void> {
  const startedAt = performance.now()
  await fails(bus, /did not answer in time or cannot be reached \((TimeoutError|AbortError)\)/)
  const milliseconds = performance.now() - startedAt
  assert.ok(milliseconds > 900 && milliseconds < 15_000, `${milliseconds} ms`)
}
