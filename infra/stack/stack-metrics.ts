import { Duration } from 'aws-cdk-lib'
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2'
import { Stats } from 'aws-cdk-lib/aws-cloudwatch'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import type { MetricName } from '../../lib/log/metric.ts'
import { forEachFunction } from './function-table.ts'
import type { RefreshQueue } from './refresh-queue.ts'
import type { StageFunctions } from './stage-functions.ts'
import { metricPeriod, stageMetric } from './stage-metric.ts'
import type { TokenFunction } from './token-function.ts'

const period = metricPeriod

export type StackMetrics = ReturnType<typeof createStackMetrics>
export type FunctionMetrics = ReturnType<typeof metricsOf>

export interface Measured {
  readonly functions: StageFunctions
  readonly refreshes: RefreshQueue
  readonly api: HttpApi
}

/** The metrics of dashboard and alarms: those of Tokenwell, Lambda, the queues and API Gateway. */
export function createStackMetrics(stage: string, { functions, refreshes, api }: Measured) {
  return {
    own: createOwnMetrics(stage),
    lambda: forEachFunction((id) => metricsOf(functions[id])),
    queue: {
      waiting: messagesIn(refreshes.queue),
      oldestSeconds: refreshes.queue.metricApproximateAgeOfOldestMessage({ period, statistic: Stats.MAXIMUM }),
      deadLetters: messagesIn(refreshes.deadLetters),
    },
    api: {
      requests: api.metricCount({ period, statistic: Stats.SUM }),
      clientErrors: api.metricClientError({ period, statistic: Stats.SUM }),
      serverErrors: api.metricServerError({ period, statistic: Stats.SUM }),
      slowLatency: api.metricLatency({ period, statistic: Stats.p(99) }),
    },
  }
}

function createOwnMetrics(stage: string) {
  const own = (metricName: MetricName, statistic = Stats.SUM) => stageMetric(stage, metricName, { statistic })
  return {
    tokensFromMemory: own('TokensFromMemory'),
    tokensFromCache: own('TokensFromCache'),
    tokensFromServer: own('TokensFromServer'),
    leastSecondsLeft: own('SecondsLeft', Stats.MINIMUM),
    usualTokenRequest: own('TokenRequestDuration', Stats.p(50)),
    slowTokenRequest: own('TokenRequestDuration', Stats.p(99)),
    tokenRequestsSuccessful: own('TokenRequestDuration', Stats.SAMPLE_COUNT),
    tokenRequestsRefused: own('TokenRequestsRefused'),
    tokenRequestsFailed: own('TokenRequestsFailed'),
    cacheBudgetExceeded: own('CacheBudgetExceeded'),
    recordsNotAuthentic: own('RecordsNotAuthentic'),
    recordsNotTaken: own('RecordsNotTaken'),
    requestsFailed: own('RequestsFailed'),
    reloadsFailed: own('ReloadsFailed'),
    warmRenewed: own('WarmRenewed'),
    warmFailed: own('WarmFailed'),
    warmLeft: own('WarmLeft'),
    warmRuns: own('WarmRunDuration', Stats.SAMPLE_COUNT),
    slowWarmRun: own('WarmRunDuration', Stats.MAXIMUM),
    apiCalls: own('ApiCallDuration', Stats.SAMPLE_COUNT),
    usualApiCall: own('ApiCallDuration', Stats.p(50)),
    slowApiCall: own('ApiCallDuration', Stats.p(99)),
    apiCallsFailed: own('ApiCallsFailed'),
    apiHostsRefused: own('ApiHostsRefused'),
    tokenEndpointsRefused: own('TokenEndpointsRefused'),
    apiTokensRejected: own('ApiTokensRejected'),
    eventsFailed: own('EventsFailed'),
    oldestSigningKey: own('SigningKeyAge', Stats.MAXIMUM),
    // Measured once an hour.
    signingKeysOverdue: own('SigningKeyOverdue', Stats.MAXIMUM).with({ period: Duration.hours(2) }),
    // Measured once an hour.
    fewestDaysOfSecret: own('SecretExpiresInDays', Stats.MINIMUM).with({ period: Duration.hours(2) }),
    rotationsFailed: own('RotationsFailed'),
    publicationsRefused: own('PublicationsRefused'),
    // The next two are measured once an hour.
    oldestPublication: own('PublicationAge', Stats.MAXIMUM).with({ period: Duration.hours(2) }),
    reconciliations: own('Reconciliations').with({ period: Duration.hours(3) }),
  }
}

function metricsOf({ lambda }: TokenFunction) {
  return {
    invocations: lambda.metricInvocations({ period }),
    errors: lambda.metricErrors({ period }),
    throttles: lambda.metricThrottles({ period }),
    slowDuration: lambda.metricDuration({ period, statistic: Stats.p(99) }),
  }
}

function messagesIn(queue: IQueue) {
  return queue.metricApproximateNumberOfMessagesVisible({ period, statistic: Stats.MAXIMUM })
}
