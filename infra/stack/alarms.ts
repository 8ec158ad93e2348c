import { Alarm, ComparisonOperator, type IMetric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { Construct } from 'constructs'
import { constructIdOf, forEachFunction } from './function-table.ts'
import type { FunctionMetrics, StackMetrics } from './stack-metrics.ts'

export interface AlarmsProps {
  readonly metrics: StackMetrics
  readonly topic?: ITopic
}

interface AlarmSettings {
  readonly metric: IMetric
  /** In one period of its metric. */
  readonly threshold: number
  /** How many periods in a row. */
  readonly periods?: number
  /** The alarm goes off below the threshold, and where no value comes at all. */
  readonly isExpected?: true
  readonly meaning: string
}

const tooMuch = {
  comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
  treatMissingData: TreatMissingData.NOT_BREACHING,
} as const
const tooLittle = {
  comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
  treatMissingData: TreatMissingData.BREACHING,
} as const

/** One alarm for each thing that somebody has to look at. No alarm goes off only because nobody calls. */
export class Alarms extends Construct {
  constructor(scope: Construct, id: string, { metrics, topic }: AlarmsProps) {
    super(scope, id)
    for (const [name, settings] of Object.entries(alarmsOf(metrics))) {
      const alarm = new Alarm(this, name, {
        metric: settings.metric,
        threshold: settings.threshold,
        evaluationPeriods: settings.periods ?? 1,
        ...(settings.isExpected ? tooLittle : tooMuch),
        alarmDescription: `${settings.meaning} See infra/operations.md#${name.toLowerCase()}`,
      })
      if (topic) alarm.addAlarmAction(new SnsAction(topic))
    }
  }
}

type AlarmsByName = Readonly<Record<string, AlarmSettings>>

function alarmsOf({ own, lambda, queue, api }: StackMetrics): AlarmsByName {
  return {
    ...alarmsOfTokens(own),
    ...alarmsOfWarming(own),
    ...alarmsOfEvents(queue),
    ...alarmsOfKeys(own),
    ...alarmsOfFunctions(lambda),
    ApiServerErrors: {
      metric: api.serverErrors,
      threshold: 5,
      meaning: 'Callers get 5xx instead of tokens, or from the APIs that they call. See the log.',
    },
  }
}

function alarmsOfTokens(own: StackMetrics['own']): AlarmsByName {
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
    ApiCallsFailed: {
      metric: own.apiCallsFailed,
      threshold: 5,
      meaning: "An API can't be reached, or gives no answer that could be passed on. See the log of call-api.",
    },
    CacheBudgetExceeded: {
      metric: own.cacheBudgetExceeded,
      threshold: 3,
      periods: 2,
      meaning: 'The shared cache fails or is slow: each instance asks for tokens of its own meanwhile.',
    },
    RecordsNotAuthentic: {
      metric: own.recordsNotAuthentic,
      threshold: 1,
      meaning:
        'Somebody without the keys of the cache has written to it, or its naming key was changed. Find out who may write to the table.',
    },
    RecordsNotTaken: {
      metric: own.recordsNotTaken,
      threshold: 1,
      meaning: 'The shared cache does not take a record: it is too large, or no room is left. See the log.',
    },
    ReloadsFailed: {
      metric: own.reloadsFailed,
      threshold: 1,
      periods: 2,
      meaning: "The elements can't be read or have mistakes by now: the last good ones serve on. Run npm run validate.",
    },
  }
}

function alarmsOfWarming(own: StackMetrics['own']): AlarmsByName {
  return {
    WarmRunsMissing: {
      metric: own.warmRuns,
      threshold: 1,
      isExpected: true,
      meaning: 'No run of warm-tokens has come to its end: tokens go stale unless callers ask for them. See its log.',
    },
    WarmRenewalsFailing: {
      metric: own.warmFailed,
      threshold: 1,
      periods: 3,
      meaning: 'For a quarter of an hour tokens could not be renewed: they serve until they expire. See the log.',
    },
    WarmWorkLeft: {
      metric: own.warmLeft,
      threshold: 1,
      periods: 3,
      meaning:
        'Runs of warm-tokens end before all is done: some token endpoint is slow, or more is kept warm than they manage.',
    },
  }
}

function alarmsOfEvents({ deadLetters, oldestSeconds }: StackMetrics['queue']): AlarmsByName {
  return {
    DeadLetters: {
      metric: deadLetters,
      threshold: 1,
      meaning:
        'An event came to nothing. Its message in the dead-letter queue says why: read it, mend that, delete it.',
    },
    EventsWaiting: {
      metric: oldestSeconds,
      threshold: 300,
      meaning:
        'An event waits for more than 5 minutes: changes of elements and keys come late. See the log of refresh-token.',
    },
  }
}

function alarmsOfKeys(own: StackMetrics['own']): AlarmsByName {
  return {
    SigningKeyOverdue: {
      metric: own.signingKeysOverdue,
      threshold: 1,
      meaning:
        'A signing key is older than its rotation: the next one was not made. Look for failed rotations in Secrets Manager.',
    },
    RotationsFailed: {
      metric: own.rotationsFailed,
      threshold: 1,
      meaning: 'A step of a rotation failed: the key in use signs on. See the log of rotate-key, and rotate again.',
    },
    PublicationsRefused: {
      metric: own.publicationsRefused,
      threshold: 1,
      meaning:
        'The record of published keys was written by somebody else, or is an old one that was put back: none of its keys is shown. Find out who can write to the table.',
    },
    PublicationsNotSigned: {
      metric: own.oldestPublication,
      threshold: 3 * 3_600,
      meaning:
        'The published keys of a jwtBuilder have not been signed for 3 h: after 25 h they are shown no more. See publication_failed in the log of refresh-token.',
    },
    ReconciliationsMissing: {
      metric: own.reconciliations,
      threshold: 1,
      isExpected: true,
      meaning:
        'For 3 h no hourly reconciliation has come to its end: after 25 h no published key is shown any more. See the log of refresh-token, and the rule Reconciliation.',
    },
  }
}

function alarmsOfFunctions(lambda: StackMetrics['lambda']): AlarmsByName {
  const each = forEachFunction((id, { name }) => alarmsOfFunction(constructIdOf(id), name, lambda[id]))
  return Object.assign({}, ...Object.values(each))
}

function alarmsOfFunction(id: string, name: string, { errors, throttles }: FunctionMetrics): AlarmsByName {
  return {
    [`${id}Errors`]: { metric: errors, threshold: 1, meaning: `${name} ended without an answer.` },
    [`${id}Throttles`]: {
      metric: throttles,
      threshold: 1,
      meaning: `Lambda turns calls of ${name} away: raise the account's concurrency, or its reservedConcurrency.`,
    },
  }
}
