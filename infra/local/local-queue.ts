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

/** Before a message that failed is delivered again. */
const redeliveryMilliseconds = 10_000

/** Hands an event to `refresh-token`, as queue and EventBridge do on AWS. Ends with its first delivery. */
export type Deliver = (event: object) => Promise<void>

/** The queue before `refresh-token`, with all that the functions raise and it acts on. */
export function createLocalQueue({ refreshToken }: LocalFunctions, stage: string): Deliver {
  const deliver = async (body: string, attempt: number) => {
    const event = { Records: [createMessage(body, attempt)] }
    const { batchItemFailures: failed } = await refreshToken(event, createLocalContext(Date.now()))
    if (failed.length > 0 && attempt < maximumDeliveries)
      setTimeout(() => void deliver(body, attempt + 1), redeliveryMilliseconds).unref()
  }
  const deliverFirst: Deliver = (event) => deliver(JSON.stringify(event), 1)
  subscribe(eventChannel, (message) => {
    const event = message as TokenwellEvent
    if (isActedOn(event)) void deliverFirst(asEventbridgeEvent(event, serviceName(stage)))
  })
  return deliverFirst
}

/** What the others say an operator may listen to. */
function isActedOn({ type }: TokenwellEvent): boolean {
  return type !== 'TokenRefreshed' && type !== 'TokenRefreshFailed' && type !== 'ConnectionRefused'
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
