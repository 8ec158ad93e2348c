import { Duration } from 'aws-cdk-lib'
import { type EventBus, Rule, RuleTargetInput, Schedule } from 'aws-cdk-lib/aws-events'
import { SqsQueue, type SqsQueueProps } from 'aws-cdk-lib/aws-events-targets'
import { Construct } from 'constructs'
import { deployedDescription, secretPrefix, serviceName } from '../../lib/configuration/deployment.ts'
import type { RefreshQueue } from './refresh-queue.ts'

export interface RefreshRulesProps {
  readonly stage: string
  /** The bus of the stage. */
  readonly bus: EventBus
  readonly refreshes: RefreshQueue
}

/** The events that ask for something. The other events report what was done. */
const requests = [
  'TokenRefreshRequested',
  'TokenRejected',
  'ConnectionChanged',
  'ClearTokenCache',
  'RevokeKey',
  'ReconcileElements',
]

/** After this time the hourly reconciliation has not helped either, so the event goes to the dead-letter queue for an operator. */
const longestDelivery = Duration.hours(1)
/** The maximum of EventBridge. */
const deliveryAttempts = 185

/** The rules for events of the stage, on its own bus and on the default bus of the account. Their target is `refresh-token`. */
export class RefreshRules extends Construct {
  constructor(scope: Construct, id: string, { stage, bus, refreshes }: RefreshRulesProps) {
    super(scope, id)
    const to = (message: Pick<SqsQueueProps, 'message'> = {}) => [targetOf(refreshes, message)]

    new Rule(this, 'ElementChanges', {
      description: `Tokenwell: an element of the stage ${stage} has changed`,
      eventPattern: {
        source: ['aws.ssm'],
        detailType: ['Parameter Store Change'],
        detail: {
          name: [{ prefix: `/tokenwell/${stage}/` }],
          operation: ['Create', 'Update', 'Delete'],
          // A deployment raises one event for all the elements that it writes.
          description: [{ exists: false }, { 'anything-but': [deployedDescription] }],
        },
      },
      targets: to(),
    })
    new Rule(this, 'SecretChanges', {
      description: `Tokenwell: a secret of the stage ${stage} has a new current version`,
      eventPattern: {
        source: ['aws.secretsmanager'],
        // CloudTrail's events need a trail, and differ by call. This one is the same for a rotation, a new value and a label that an
        // operator moves. The deletion of a secret raises no such event.
        detailType: ['Secret Label Updated'],
        detail: { name: [{ prefix: secretPrefix({ stage }) }], labelUpdated: ['AWSCURRENT'] },
      },
      targets: to(),
    })
    new Rule(this, 'Requests', {
      description: `Tokenwell: requests of the functions and operators of the stage ${stage}`,
      eventBus: bus,
      eventPattern: { detailType: requests },
      targets: to(),
    })
    // A rule needs no role to send to the queue, unlike a schedule of EventBridge Scheduler.
    new Rule(this, 'Reconciliation', {
      description: `Tokenwell: hourly reconciliation of the stage ${stage}, in case events were lost`,
      schedule: Schedule.rate(Duration.hours(1)),
      targets: to({ message: RuleTargetInput.fromObject(reconciliation(stage)) }),
    })
  }
}

function targetOf({ queue, deadLetters }: RefreshQueue, message: Pick<SqsQueueProps, 'message'>): SqsQueue {
  return new SqsQueue(queue, {
    ...message,
    deadLetterQueue: deadLetters,
    maxEventAge: longestDelivery,
    retryAttempts: deliveryAttempts,
  })
}

/** The event in the form in which the bus delivers it. */
function reconciliation(stage: string): object {
  return { source: serviceName(stage), 'detail-type': 'ReconcileElements', detail: {} }
}
