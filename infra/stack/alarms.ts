import { Alarm, ComparisonOperator, type IMetric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { Construct } from 'constructs'
import type { StackMetrics } from './stack-metrics.ts'

export interface AlarmsProps {
  readonly metrics: StackMetrics
  readonly topic?: ITopic
}

interface AlarmSettings {
  readonly metric: IMetric
  /** In one period of five minutes. */
  readonly threshold: number
  /** How many periods in a row. */
  readonly periods?: number
  readonly meaning: string
}

/** What somebody should look at. Nothing is one only because nobody calls. */
export class Alarms extends Construct {
  constructor(scope: Construct, id: string, { metrics, topic }: AlarmsProps) {
    super(scope, id)
    for (const [name, settings] of Object.entries(alarmsOf(metrics))) {
      const alarm = new Alarm(this, name, {
        metric: settings.metric,
        threshold: settings.threshold,
        evaluationPeriods: settings.periods ?? 1,
        comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treatMissingData: TreatMissingData.NOT_BREACHING,
        alarmDescription: settings.meaning,
      })
      if (topic) alarm.addAlarmAction(new SnsAction(topic))
    }
  }
}

function alarmsOf({ own, lambda, api }: StackMetrics): Readonly<Record<string, AlarmSettings>> {
  return {
    TokenRequestsRefused: {
      metric: own.tokenRequestsRefused,
      threshold: 1,
      meaning: 'An authorization server refuses a client, user or scope: nobody gets that token. See the log.',
    },
    TokenRequestsFailed: {
      metric: own.tokenRequestsFailed,
      threshold: 5,
      meaning: "A token endpoint can't be reached, asks to wait or answers nonsense. See the log.",
    },
    CacheBudgetExceeded: {
      metric: own.cacheBudgetExceeded,
      threshold: 3,
      periods: 2,
      meaning: 'The shared cache fails or is slow: each instance asks for tokens of its own meanwhile.',
    },
    ReloadsFailed: {
      metric: own.reloadsFailed,
      threshold: 1,
      periods: 2,
      meaning: "The elements can't be read or have mistakes by now: the last good ones serve on. Run npm run validate.",
    },
    FunctionErrors: { metric: lambda.errors, threshold: 1, meaning: 'issue-token ended without an answer.' },
    FunctionThrottles: {
      metric: lambda.throttles,
      threshold: 1,
      meaning: "Lambda turns calls of issue-token away: raise the account's concurrency.",
    },
    ApiServerErrors: {
      metric: api.serverErrors,
      threshold: 5,
      meaning: 'Callers get 5xx instead of tokens. See the log.',
    },
  }
}
