import { randomUUID } from 'node:crypto'
import { subscribe } from 'node:diagnostics_channel'
import type { SQSRecord } from 'aws-lambda'
import { eventChannel } from '../../lib/adapters/process/published-bus.ts'
import { serviceName } from '../../lib/configuration/deployment.ts'
import { maximumDeliveries } from '../../lib/events/dead-letters.ts'
import type { TokenwellEvent } from '../../lib/events/event-bus.ts'
import { asEventbridgeEvent } from '../../lib/events/event-bus.ts'
import { createLocalContext } from './http-gateway.ts'
import type { LocalFunctions } from './local-functions.ts'

/** The pause before a failed message is delivered again. */
const redeliveryMilliseconds = 10_000

export type LocalQueue = ReturnType<typeof createLocalQueue>

/**
 * The queue of `refresh-token`. It delivers every event that asks `refresh-token` for something, whichever function of this run
 * raised it.
 */
export function createLocalQueue({ refreshToken }: LocalFunctions, stage: string) {
  subscribe(eventChannel, (message) => {
    const event = message as TokenwellEvent
    if (isRequest(event)) void deliver(asEventbridgeEvent(event, serviceName(stage)))
  })
  return { deliver }

  /** Delivers an event as EventBridge and SQS do on AWS. The promise settles after the first attempt. */
  async function deliver(event: object): Promise<void> {
    await attempt(JSON.stringify(event), 1)
  }

  async function attempt(body: string, count: number): Promise<void> {
    const event = { Records: [createMessage(body, count)] }
    const { batchItemFailures: failed } = await refreshToken(event, createLocalContext(Date.now()))
    if (failed.length > 0 && count < maximumDeliveries)
      setTimeout(() => void attempt(body, count + 1), redeliveryMilliseconds).unref()
  }
}

const news: readonly TokenwellEvent['type'][] = [
  'TokenRefreshed',
  'TokenRefreshFailed',
  'ConnectionRefused',
  'TokenEndpointOnNewHost',
]

/** Whether an event asks for something. The other events inform operators. */
function isRequest({ type }: TokenwellEvent): boolean {
  return !news.includes(type)
}

function createMessage(body: string, attempt: number): SQSRecord {
  const now = String(Date.now())
  return {
    messageId: randomUUID(),
    receiptHandle: 'local',
    body,
    attributes: {
      ApproximateReceiveCount: String(attempt),
      SentTimestamp: now,
      SenderId: 'local',
      ApproximateFirstReceiveTimestamp: now,
    },
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: 'local',
    awsRegion: 'local',
  }
}
