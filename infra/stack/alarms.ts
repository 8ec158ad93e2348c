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
  /** For one period of the metric. */
  readonly threshold: number
  /** How many periods in a row. */
  readonly periods?: number
  /** The alarm goes off below the threshold, and also when there is no value at all. */
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

/** One alarm for each condition that an operator has to act on. No alarm goes off only because there are no calls. */
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
      meaning:
        'Callers get 5xx answers to token requests or API calls. Look for request_failed and api_call_failed in the logs of the functions.',
    },
  }
}

function alarmsOfTokens(own: StackMetrics['own']): AlarmsByName {
  return {
    TokenRequestsRefused: {
      metric: own.tokenRequestsRefused,
      threshold: 1,
      meaning:
        'An authorization server refuses a client, user or scope, so no caller gets that token. Look for token_request_refused in the logs: it says what was sent.',
    },
    TokenRequestsFailed: {
      metric: own.tokenRequestsFailed,
      threshold: 5,
      meaning:
        'A token endpoint cannot be reached, throttles requests or sends unreadable answers. Look for token_request_failed in the logs.',
    },
    ApiCallsFailed: {
      metric: own.apiCallsFailed,
      threshold: 5,
      meaning:
        'An API cannot be reached, or its answers cannot be passed on to callers. Look for api_call_failed in the log of call-api.',
    },
    CacheBudgetExceeded: {
      metric: own.cacheBudgetExceeded,
      threshold: 3,
      periods: 2,
      meaning:
        'The shared cache fails or is slow, so each instance requests its own tokens. Look for cache_passed_over in the logs.',
    },
    RecordsNotAuthentic: {
      metric: own.recordsNotAuthentic,
      threshold: 1,
      meaning:
        'A record of the shared cache was written without the keys of the cache, or the naming key was changed. Find out who can write to the table.',
    },
    RecordsNotTaken: {
      metric: own.recordsNotTaken,
      threshold: 1,
      meaning:
        'The shared cache rejects a record because it is too large or the cache is full. Look for record_not_taken in the logs.',
    },
    ReloadsFailed: {
      metric: own.reloadsFailed,
      threshold: 1,
      periods: 2,
      meaning:
        'The elements cannot be read or have mistakes. The functions continue with the last valid ones. Run npm run validate.',
    },
  }
}

function alarmsOfWarming(own: StackMetrics['own']): AlarmsByName {
  return {
    WarmRunsMissing: {
      metric: own.warmRuns,
      threshold: 1,
      isExpected: true,
      meaning:
        'No run of warm-tokens has finished, so tokens go stale unless callers ask for them. See the log of warm-tokens.',
    },
    WarmRenewalsFailing: {
      metric: own.warmFailed,
      threshold: 1,
      periods: 3,
      meaning:
        'For 15 minutes warm-tokens could not renew some tokens. They are handed out until they expire. Look for renewal_failed in the log of warm-tokens.',
    },
    WarmWorkLeft: {
      metric: own.warmLeft,
      threshold: 1,
      periods: 3,
      meaning:
        'For 15 minutes runs of warm-tokens ended before all tokens were renewed. A token endpoint is slow, or too many tokens are kept warm.',
    },
  }
}

function alarmsOfEvents({ deadLetters, oldestSeconds }: StackMetrics['queue']): AlarmsByName {
  return {
    DeadLetters: {
      metric: deadLetters,
      threshold: 1,
      meaning:
        'An event was given up. Read the reason in its message in the dead-letter queue, fix the cause, then delete the message.',
    },
    EventsWaiting: {
      metric: oldestSeconds,
      threshold: 300,
      meaning:
        'An event has waited for more than 5 minutes, so changes of elements and keys take effect late. See the log of refresh-token.',
    },
  }
}

function alarmsOfKeys(own: StackMetrics['own']): AlarmsByName {
  return {
    SigningKeyOverdue: {
      metric: own.signingKeysOverdue,
      threshold: 1,
      meaning:
        'A signing key is older than its rotation time, because the next key was not made. Look for failed rotations in Secrets Manager and for rotation_failed in the log of rotate-key.',
    },
    RotationsFailed: {
      metric: own.rotationsFailed,
      threshold: 1,
      meaning:
        'A step of a rotation failed. The current key stays in use. Look for rotation_failed in the log of rotate-key, then rotate the secret again.',
    },
    PublicationsRefused: {
      metric: own.publicationsRefused,
      threshold: 1,
      meaning:
        'The record of published keys was not written by Tokenwell, or is an old record that was put back. None of its keys is published. Find out who can write to the table.',
    },
    PublicationsNotSigned: {
      metric: own.oldestPublication,
      threshold: 3 * 3_600,
      meaning:
        'The published keys of a jwtBuilder have not been signed for 3 h. After 25 h they are no longer published. Look for publication_failed in the log of refresh-token.',
    },
    ReconciliationsMissing: {
      metric: own.reconciliations,
      threshold: 1,
      isExpected: true,
      meaning:
        'No hourly reconciliation has finished for 3 h. After 25 h no key is published any more. See the log of refresh-token, and check the rule Reconciliation.',
    },
  }
}

function alarmsOfFunctions(lambda: StackMetrics['lambda']): AlarmsByName {
  const each = forEachFunction((id, { name }) => alarmsOfFunction(constructIdOf(id), name, lambda[id]))
  return Object.assign({}, ...Object.values(each))
}

function alarmsOfFunction(id: string, name: string, { errors, throttles }: FunctionMetrics): AlarmsByName {
  return {
    [`${id}Errors`]: { metric: errors, threshold: 1, meaning: `${name} failed or timed out. See its log.` },
    [`${id}Throttles`]: {
      metric: throttles,
      threshold: 1,
      meaning: `Lambda rejects calls of ${name} because its concurrency is used up. Raise the account's concurrency or the function's reservedConcurrency.`,
    },
  }
}
