import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { inspect } from 'node:util'
import type { AwsTimeouts } from '../../../../lib/adapters/aws/aws-client.ts'
import { sqsDeadLetters } from '../../../../lib/adapters/aws/sqs-dead-letters.ts'
import type { DeadLetter, DeadLetterQueue } from '../../../../lib/events/dead-letters.ts'
import { DeadLettersError } from '../../../../lib/events/dead-letters.ts'
import { type AwsAnswer, type AwsProxy, awsError, startMotoBehindProxy } from '../../../support/servers/aws-proxy.ts'
import { startBlackHoleListener } from '../../../support/servers/black-hole-listener.ts'
import type { Moto } from '../../../support/servers/moto.ts'
import { someRole, withPermissionsLookedAt } from '../../../support/servers/moto-permissions.ts'
import { createQueue, type Queue } from '../../../support/servers/moto-queue.ts'

/** Long enough for a busy machine. */
const patient: AwsTimeouts = { connect: 60_000, answer: 60_000, total: 60_000 }
const someLetter: DeadLetter = { body: '{"detail-type":"hunter2"}', reason: 'It can not be read.', code: 'unreadable' }

test('the message in the dead-letter queue has its original body and the reason', async (t) => {
  await withLetters(t, async ({ letters, queue }) => {
    const body = '{ "detail-type":\t"ümlaut 鍵 🔑",\r\n "detail": {} } \n'
    await letters.add({
      body,
      reason: 'The event cannot be read: detail must be a JSON object.',
      code: 'unreadable_event',
    })
    assert.deepEqual(await queue.receive(), [
      {
        body,
        attributes: { reason: 'The event cannot be read: detail must be a JSON object.', code: 'unreadable_event' },
      },
    ])
  })
})

test('a reason is cut off at whole characters and has no control characters', async (t) => {
  const cases = [
    ['a\u0000b\u0007c\r\nd\te', 'a b c d e'],
    ['a\u0085b\u2028c\u2029d\ufffee\uffff', 'a b c d e'],
    ['a\ud800b\udc00c', 'a b c'],
    ['ümlaut 鍵 🔑', 'ümlaut 鍵 🔑'],
    ['🔑'.repeat(501), '🔑'.repeat(500)],
    ['x'.repeat(500_000), 'x'.repeat(500)],
    ['', 'none given'],
    ['\u0000\n', 'none given'],
  ] as const
  await withLetters(t, async ({ letters, queue }) => {
    for (const [reason, expected] of cases) {
      await letters.add({ body: 'some body', reason, code: reason })
      const [message] = await queue.receive()
      assert.deepEqual(message?.attributes, { reason: expected, code: expected })
    }
  })
})

test('each dead letter is one request', async (t) => {
  await withLetters(t, async ({ letters, queue, proxy }) => {
    for (let count = 0; count < 3; count++) await letters.add(someLetter)
    assert.deepEqual(proxy.counts(), { SendMessage: 3 })
    assert.equal((await queue.receive()).length, 3)
  })
})

test('the SDK prints nothing, whatever the host of the queue URL is', async (t) => {
  const written = (['log', 'warn', 'error'] as const).map((name) => t.mock.method(console, name, () => {}))
  await withLetters(t, async ({ proxy }) => {
    const elsewhere = 'https://sqs.eu-central-1.amazonaws.com/123456789012/the-queue'
    await sqsDeadLetters({ queueUrl: elsewhere, timeouts: patient }).add(someLetter)
    assert.equal(proxy.requests.at(-1)?.body['QueueUrl'], elsewhere)
    for (const { mock } of written) assert.equal(mock.callCount(), 0)
  })
})

test('the error for a missing queue names it', async (t) => {
  await withLetters(t, async ({ moto, proxy }) => {
    for (const endpoint of [moto.endpoint, proxy.endpoint]) {
      process.env['AWS_ENDPOINT_URL'] = endpoint
      const nowhere = sqsDeadLetters({ queueUrl: `${moto.endpoint}/123456789012/nowhere`, timeouts: patient })
      await fails(
        nowhere,
        /^The dead-letter queue http:\S+\/nowhere does not exist in this account and region\. Create it\.$/,
      )
    }
  })
})

test('the error for a denied request says what to allow, and the request is not repeated', async (t) => {
  const names = ['AccessDeniedException', 'KmsAccessDenied', 'KmsDisabled', 'InvalidSecurity', 'ExpiredTokenException']
  await withLetters(t, async ({ letters, proxy }) => {
    for (const name of names) {
      proxy.answerNext(awsError(400, name, 'hunter2'))
      await fails(letters, new RegExp(`the-queue was denied \\(${name}\\)\\. Allow sqs:SendMessage on it, and kms:Gen`))
    }
    assert.equal(proxy.requests.length, names.length)
  })
})

test('without credentials no request is sent', async (t) => {
  await withLetters(t, async ({ letters, proxy }) => {
    delete process.env['AWS_ACCESS_KEY_ID']
    await fails(letters, /was denied \(CredentialsProviderError\)/)
    assert.deepEqual(proxy.requests, [])
  })
})

test('sqs:SendMessage is the only right that it needs', async (t) => {
  for (const action of ['sqs:SendMessage', 'sqs:ReceiveMessage'])
    await withLetters(t, async ({ moto, queue }) => {
      const role = await someRole(moto.endpoint, [action])
      const letters = sqsDeadLetters({ queueUrl: queue.url, timeouts: patient })
      await withPermissionsLookedAt(moto.endpoint, async () => {
        Object.assign(process.env, role, { AWS_ENDPOINT_URL: moto.endpoint })
        if (action === 'sqs:SendMessage') await letters.add(someLetter)
        else await fails(letters, /the-queue was denied \(.+\)\. Allow sqs:SendMessage on it/)
      })
      assert.equal((await queue.receive()).length, action === 'sqs:SendMessage' ? 1 : 0)
    })
})

test('throttled, failed and cut off requests are retried', async (t) => {
  t.mock.method(Math, 'random', () => 0.1)
  await withLetters(t, async ({ letters, proxy, queue }) => {
    proxy.answerNext(awsError(403, 'RequestThrottled'), awsError(500, 'InternalError'), 'reset')
    await letters.add(someLetter)
    assert.equal((await queue.receive()).length, 1)
    assert.equal(proxy.requests.length, 4)
  })
})

test('throttling and outages beyond the time limit are different errors', async (t) => {
  t.mock.method(Math, 'random', () => 0.05)
  const cases: readonly (readonly [AwsAnswer, RegExp])[] = [
    [
      awsError(403, 'RequestThrottled'),
      /^SQS throttles requests to .* \(RequestThrottled\)\. The message will be delivered again\.$/,
    ],
    [awsError(400, 'KmsThrottled'), /^SQS throttles requests to .* \(KmsThrottled\)/],
    [awsError(503, 'ServiceUnavailable'), /did not answer in time or cannot be reached \(ServiceUnavailable\)\. Check/],
    [awsError(400, 'InvalidMessageContents'), /rejected the message \(InvalidMessageContents\)\. Read the message/],
    [{ status: 200, body: 'hunter2' }, /the-queue did not answer in time or cannot be reached \(HTTP 200\)/],
  ]
  for (const [answer, message] of cases)
    await withLetters(
      t,
      async ({ letters, proxy }) => {
        proxy.answerAll(answer)
        await fails(letters, message)
      },
      { ...patient, total: 1_500 },
    )
})

test('a queue that does not answer costs five seconds in total', async (t) => {
  t.mock.method(Math, 'random', () => 0)
  await withLetters(
    t,
    async ({ letters, proxy }) => {
      proxy.answerAll('held')
      const startedAt = performance.now()
      await fails(letters, /did not answer in time or cannot be reached \((TimeoutError|AbortError)\)/)
      const milliseconds = performance.now() - startedAt
      assert.ok(milliseconds > 4_900 && milliseconds < 20_000, `${milliseconds} ms`)
      await proxy.allClosed()
    },
    'default',
  )
})

test('a queue that refuses connections is unreachable', async (t) => {
  const nobodyThere = [await startBlackHoleListener(t), 'http://127.0.0.1:9']
  for (const endpoint of nobodyThere)
    await withLetters(
      t,
      async ({ letters }) => {
        process.env['AWS_ENDPOINT_URL'] = endpoint
        await fails(letters, /cannot be reached \((TimeoutError|AbortError|ECONNREFUSED)\)/)
      },
      { ...patient, total: 1_500 },
    )
})

interface TheLetters {
  readonly moto: Moto
  readonly proxy: AwsProxy
  readonly queue: Queue
  readonly letters: DeadLetterQueue
}

/** Dead letters that reach moto through a proxy. Without moto the test is skipped. */
async function withLetters(
  t: TestContext,
  use: (parts: TheLetters) => Promise<void>,
  timeouts: AwsTimeouts | 'default' = patient,
): Promise<void> {
  const started = await startMotoBehindProxy(t)
  if (!started) return
  const { moto, proxy } = started
  const queue = await createQueue(t, moto)
  const letters = sqsDeadLetters({ queueUrl: queue.url, ...(timeouts !== 'default' && { timeouts }) })
  await use({ moto, proxy, queue, letters })
}

async function fails(letters: DeadLetterQueue, message: RegExp): Promise<void> {
  await assert.rejects(letters.add(someLetter), (error) => {
    assert.ok(error instanceof DeadLettersError, inspect(error))
    assert.equal(error.code, 'dead_letters')
    assert.match(error.message, message)
    assert.doesNotMatch(inspect(error, { depth: 9, showHidden: true }), /hunter2/)
    return true
  })
}
