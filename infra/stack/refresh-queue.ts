import { Duration } from 'aws-cdk-lib'
import { EventSourceMapping, type IFunction } from 'aws-cdk-lib/aws-lambda'
import { Queue, QueueEncryption, type QueueProps } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { maximumDeliveries } from '../../lib/events/dead-letters.ts'
import { suppressCheckov, suppressNag } from './suppressions.ts'

/** The function itself moves a message to the dead-letter queue and adds the reason. SQS moves only messages that crash the function before that. */
const maximumReceives = maximumDeliveries + 2
const batchSize = 10
/** Each run requests tokens. More runs would only wait for the same leases and token endpoints. */
export const maximumConcurrency = 10
/**
 * As many times the function's time-out as AWS recommends. Lambda repeats a run that it has throttled until this time is over. Only
 * then does the message come back, which counts as one more delivery.
 */
const timeoutsUntilRedelivery = 6

const inAnyCase = { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true } as const satisfies QueueProps

interface RefreshQueueProps {
  /** The time-out of `refresh-token`. */
  readonly functionSeconds: number
}

/** The queue of events for `refresh-token`, and the dead-letter queue of events that it gave up. */
export class RefreshQueue extends Construct {
  readonly queue: Queue
  readonly deadLetters: Queue

  constructor(scope: Construct, id: string, { functionSeconds }: RefreshQueueProps) {
    super(scope, id)
    this.deadLetters = new Queue(this, 'DeadLetters', { ...inAnyCase, retentionPeriod: Duration.days(14) })
    this.queue = new Queue(this, 'Queue', {
      ...inAnyCase,
      retentionPeriod: Duration.days(4),
      visibilityTimeout: Duration.seconds(timeoutsUntilRedelivery * functionSeconds),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: maximumReceives },
    })
    suppressNag(this.deadLetters, { 'Serverless-SQSRedrivePolicy': 'It is the dead-letter queue itself.' })
    for (const queue of [this.queue, this.deadLetters])
      suppressCheckov(queue, { CKV_AWS_27: 'SQS encrypts with its own key, and no message contains a secret.' })
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
        'Failed messages go back to the queue, which has a dead-letter queue.',
    })
  }
}
