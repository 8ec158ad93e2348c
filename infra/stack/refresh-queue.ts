import { Duration } from 'aws-cdk-lib'
import { EventSourceMapping, type IFunction } from 'aws-cdk-lib/aws-lambda'
import { Queue, QueueEncryption, type QueueProps } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { maximumDeliveries } from '../../lib/events/dead-letters.ts'
import { suppressCheckov, suppressNag } from './suppressions.ts'

/** The function moves a message to the dead letters itself, with the reason: the queue only what makes it end too early for that. */
const maximumReceives = maximumDeliveries + 2
const batchSize = 10
/** Each asks for tokens: more would only wait for the same leases and endpoints. */
const maximumConcurrency = 10
/** A message comes back when its batch can no longer be at work. */
const visibilityTimeout = Duration.minutes(2)

const inAnyCase = { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true } as const satisfies QueueProps

/** Where the events wait for `refresh-token`, and those lie of which it could make nothing. */
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

  /** Its role must be allowed to take the messages. */
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
