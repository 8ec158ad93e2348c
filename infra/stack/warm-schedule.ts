import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { Schedule, ScheduleExpression, ScheduleGroup, TimeWindow } from 'aws-cdk-lib/aws-scheduler'
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets'
import { Construct } from 'constructs'
import { serviceName } from '../../lib/configuration/deployment.ts'
import { mayInvoke } from './grants.ts'
import { suppressNag } from './suppressions.ts'

export interface WarmScheduleProps {
  readonly stage: string
  readonly warmTokens: IFunction
}

const interval = Duration.minutes(1)
const nextRunDoesIt = 'A failed or late run does not need to be kept: the next run finds what is left.'
const once = { retryAttempts: 0, maxEventAge: interval } as const

/** Starts `warm-tokens` every minute. A start is not retried. */
export class WarmSchedule extends Construct {
  constructor(scope: Construct, id: string, { stage, warmTokens }: WarmScheduleProps) {
    super(scope, id)
    // The schedule has its own group, because a role can be limited to a group but not to one schedule.
    const scheduleGroup = new ScheduleGroup(this, 'Group', {
      scheduleGroupName: serviceName(stage),
      // The group contains nothing to keep. If it stayed, it would block the next deployment of the same stage.
      removalPolicy: RemovalPolicy.DESTROY,
    })
    const role = new Role(this, 'Role', { assumedBy: schedulerOf(this, scheduleGroup) })
    role.addToPolicy(new PolicyStatement(mayInvoke(warmTokens)))
    warmTokens.configureAsyncInvoke(once)
    suppressNag(warmTokens, { 'Serverless-LambdaAsyncFailureDestination': nextRunDoesIt })
    new Schedule(this, 'EveryMinute', {
      description: `Tokenwell: renews the tokens of the stage ${stage} before they go stale`,
      schedule: ScheduleExpression.rate(interval),
      timeWindow: TimeWindow.off(),
      scheduleGroup,
      // Without this, the target would allow the role to invoke every version of the function.
      target: new LambdaInvoke(warmTokens, { ...once, role: role.withoutPolicyUpdates() }),
    })
  }
}

/** EventBridge Scheduler, limited to the schedules of that group. */
function schedulerOf(scope: Construct, { scheduleGroupArn }: ScheduleGroup): ServicePrincipal {
  return new ServicePrincipal('scheduler.amazonaws.com', {
    conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(scope).account, 'aws:SourceArn': scheduleGroupArn } },
  })
}
