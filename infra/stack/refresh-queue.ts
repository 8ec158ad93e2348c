import { Duration } from 'aws-cdk-lib'
import { EventSourceMapping, type IFunction } from 'aws-cdk-lib/aws-lambda'
import { Queue, QueueEncryption, type QueueProps } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { maximumDeliveries } from '../../lib/events/dead-letters.ts'
import { suppressCheckov, suppressNag } from './suppressions.ts'

/** The function itself moves a message to the dead letters, with the reason. The queue moves only what ends the function before that. */
const maximumReceives = maximumDeliveries + 2
const batchSize = 10
/** Each run requests tokens. More of them would only wait for the same leases and endpoints. */
export const maximumConcurrency = 10
/** A message comes back when no function can still be working on its batch. */
const visibilityTimeout = Duration.minutes(2)

const inAnyCase = { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true } as const satisfies QueueProps

/** The queue of events for `refresh-token`, and the dead letters: events that it could not act on. */
export class RefreshQueue extends Construct {
  readonly queue: Queue
  readonly deadLetters: Queue

  constructor(scope: Construct, id: string) {
    super(scope, id)
    this.deadLetters = new Queue(this, 'DeadLetters', { ...inAnyCase, retentionPeriod: Duration.days(14) })
    this.queue = new Queue(this, 'Queue', {
      ...inAnyCase,
      retentionPeriod: Duration.days(4),
      visibilityTimeout,
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: maximumReceives },
    })
    suppressNag(this.deadLetters, { 'Serverless-SQSRedrivePolicy': 'It is itself where the dead letters lie.' })
    for (const queue of [this.queue, this.deadLetters])
      suppressCheckov(queue, { CKV_AWS_27: 'SQS encrypts with a key of its own; no message holds a secret.' })
  }

  /** Lets Lambda invoke the function with messages. The role of the function must be allowed to receive them. */
  feed(target: IFunction): void {
    const feed = new EventSourceMapping(this, 'Feed', {
      target,
      eventSourceArn: this.queue.queueArn,
      batchSize,
      maxConcurrency: maximumConcurrency,
      reportBatchItemFailures: true,
    })
    suppressNag(feed, {
      'Serverless-LambdaEventSourceMappingDestination':
        'Messages that fail go back to the queue, which has dead letters.',
    })
  }
}
