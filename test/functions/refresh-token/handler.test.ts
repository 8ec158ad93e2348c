import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Context, SQSEvent, SQSRecord } from 'aws-lambda'
import { createHandler } from '../../../functions/refresh-token/handler.ts'
import type { DeadLetter } from '../../../lib/events/dead-letters.ts'
import { DeadLettersError } from '../../../lib/events/dead-letters.ts'
import type { TokenwellEvent } from '../../../lib/events/event-bus.ts'
import { asEventbridgeEvent, EventBusError } from '../../../lib/events/event-bus.ts'
import { CacheUnavailableError } from '../../../lib/fleet/circuit-breaker.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import type { IncomingEvent } from '../../../lib/renewal/incoming-event.ts'
import { UnreachableError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import { localDeployment } from '../../support/elements/element-store.ts'
import { leaks } from '../../support/output/canary.ts'

const start = 1_800_000_000_000
const unreachable = new UnreachableError('nobody listens')

/** The function behind a queue. A test chooses the outcome of each event by its connection. */
function theFunction(answers: Readonly<Record<string, Error>> = {}) {
  const answered: { readonly event: IncomingEvent; readonly deadline: number }[] = []
  const signed: number[] = []
  const letters: DeadLetter[] = []
  const log: LogEvent[] = []
  const far: { buryError?: Error; now: number } = { now: start }
  const handler = createHandler({
    application: {
      async answerEvent(event, deadline) {
        answered.push({ event, deadline })
        far.now += 7
        const error = 'connection' in event ? answers[event.connection ?? ''] : undefined
        if (error !== undefined) throw error
      },
      async signPublications(deadline) {
        signed.push(deadline)
        if (answers['all'] !== undefined) throw answers['all']
      },
    },
    deadLetters: {
      async add(letter) {
        if (far.buryError !== undefined) throw far.buryError
        letters.push(letter)
      },
    },
    deployment: localDeployment,
    now: () => far.now,
    log: (event) => log.push(event),
  })
  const answer = async (...messages: readonly SQSRecord[]) => {
    const context = { getRemainingTimeInMillis: () => 60_000 } as Context
    const { batchItemFailures } = await handler({ Records: [...messages] } satisfies SQSEvent, context)
    return batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)
  }
  const deploy = () => handler({}, { getRemainingTimeInMillis: () => 60_000 } as Context)
  return { answered, signed, letters, log, far, answer, deploy }
}

function message(id: string, body: string | TokenwellEvent, receiveCount = 1): SQSRecord {
  const text = typeof body === 'string' ? body : JSON.stringify(asEventbridgeEvent(body, 'tokenwell-local'))
  const attributes = { ApproximateReceiveCount: String(receiveCount) }
  return { messageId: id, body: text, attributes } as SQSRecord
}

const changedOf = (connection: string): TokenwellEvent => ({ type: 'ConnectionChanged', connection })

test('each message of a batch is answered, with the whole time except the reserve for logging a failure', async () => {
  const { answered, log, answer } = theFunction()
  assert.deepEqual(await answer(message('1', changedOf('a')), message('2', changedOf('b'))), [])
  assert.deepEqual(answered, [
    { event: changedOf('a'), deadline: start + 55_000 },
    { event: changedOf('b'), deadline: start + 55_000 },
  ])
  assert.deepEqual(
    log.map(({ event }) => event),
    ['event_answered', 'event_answered'],
  )
})

test('invoked by the deployment, it signs the published keys, and its failure fails the deployment', async () => {
  const { answered, signed, deploy } = theFunction()
  assert.deepEqual(await deploy(), { batchItemFailures: [] })
  assert.deepEqual([answered, signed], [[], [start + 55_000]])
  await assert.rejects(theFunction({ all: unreachable }).deploy(), unreachable)
  await assert.rejects(theFunction({ all: new TypeError('hunter2') }).deploy(), { name: 'UnexpectedError' })
})

test('only the failed messages of a batch are delivered again', async () => {
  const { letters, log, answer } = theFunction({ bad: unreachable })
  const failed = await answer(
    message('1', changedOf('a')),
    message('2', changedOf('bad')),
    message('3', changedOf('b')),
  )
  assert.deepEqual(failed, ['2'])
  assert.deepEqual(letters, [])
  assert.deepEqual(
    log.filter(({ event }) => event === 'event_failed'),
    [
      {
        event: 'event_failed',
        type: 'ConnectionChanged',
        connection: 'bad',
        code: 'unreachable',
        reason: 'nobody listens',
        attempt: 1,
        isLast: false,
      },
    ],
  )
})

test('at its third delivery a failed message moves unchanged to the dead letters, with the reason', async () => {
  const { letters, log, answer } = theFunction({ bad: unreachable })
  assert.deepEqual(await answer(message('1', changedOf('bad'), 2)), ['1'])
  const last = message('1', changedOf('bad'), 3)
  assert.deepEqual(await answer(last), [])
  assert.deepEqual(letters, [{ body: last.body, code: 'unreachable', reason: 'nobody listens' }])
  assert.deepEqual(
    log.map((event) => event.event === 'event_failed' && event.isLast),
    [false, true],
  )
  assert.deepEqual(await answer(message('1', changedOf('bad'), 4)), [], 'and at any later one')
  assert.equal(letters.length, 2)
})

test('an unreadable message moves to the dead letters at once', async () => {
  const { answered, letters, log, answer } = theFunction()
  assert.deepEqual(await answer(message('1', 'no JSON'), message('2', '{"detail-type":"Unheard"}')), [])
  assert.deepEqual(answered, [])
  assert.deepEqual(
    letters.map(({ body, code }) => [body, code]),
    [
      ['no JSON', 'unreadable_event'],
      ['{"detail-type":"Unheard"}', 'unreadable_event'],
    ],
  )
  assert.deepEqual(
    log.map((event) => event.event === 'event_failed' && event.type),
    ['unreadable', 'unreadable'],
  )
})

test('if the dead letters do not accept a message, it stays in its queue', async () => {
  const { far, log, answer } = theFunction({ bad: unreachable })
  far.buryError = new DeadLettersError('They take nothing.')
  assert.deepEqual(
    await answer(message('1', 'no JSON'), message('2', changedOf('bad'), 3), message('3', changedOf('a'))),
    ['1', '2'],
  )
  assert.deepEqual(
    log.filter(({ event }) => event === 'dead_letter_not_taken'),
    Array.from({ length: 2 }, () => ({
      event: 'dead_letter_not_taken',
      code: 'dead_letters',
      reason: 'They take nothing.',
    })),
  )
  far.buryError = new TypeError('a fault')
  await assert.rejects(
    answer(message('1', 'no JSON')),
    /^UnexpectedError: TypeError at /,
    'an unexpected error is not hidden',
  )
})

test('each kind of failure has a code and a reason, and an unexpected error only its type and place', async () => {
  const secret = 'the secret in a message'
  for (const [error, code, reason] of [
    [new EventBusError('It takes nothing.'), 'event_bus', /^It takes nothing\.$/],
    [
      new CacheUnavailableError('A call failed less than 5 s ago.'),
      'cache',
      /^The shared cache is unavailable\. A call failed less than 5 s ago\.$/,
    ],
    [new TypeError(secret), 'unexpected', /^TypeError at /],
  ] as const) {
    const { letters, log, answer } = theFunction({ bad: error })
    await answer(message('1', changedOf('bad'), 3))
    assert.equal(letters[0]?.code, code)
    assert.match(letters[0]?.reason ?? '', reason)
    assert.deepEqual(leaks([secret], [JSON.stringify([letters, log])]), [])
  }
})

test('an empty batch does nothing', async () => {
  const { answer, log } = theFunction()
  assert.deepEqual([await answer(), log], [[], []])
})
