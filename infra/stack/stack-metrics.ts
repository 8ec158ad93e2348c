import { Duration } from 'aws-cdk-lib'
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2'
import { Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { metricNames, metricNamespace } from './metric-names.ts'

const period = Duration.minutes(5)

/** The name under which the functions of a stage log and count. */
export function serviceName(stage: string): string {
  return `tokenwell-${stage}`
}

export type StackMetrics = ReturnType<typeof createStackMetrics>

/** What dashboard and alarms look at: our own counts, Lambda's and API Gateway's. */
export function createStackMetrics(stage: string, issueToken: IFunction, httpApi: HttpApi) {
  const dimensionsMap = { service: serviceName(stage) }
  const own = (name: keyof typeof metricNames, statistic = Stats.SUM) =>
    new Metric({ namespace: metricNamespace, metricName: metricNames[name], dimensionsMap, statistic, period })
  return {
    own: {
      tokensFromMemory: own('tokensFromMemory'),
      tokensFromCache: own('tokensFromCache'),
      tokensFromServer: own('tokensFromServer'),
      leastSecondsLeft: own('secondsLeft', Stats.MINIMUM),
      usualTokenRequest: own('tokenRequestDuration', Stats.p(50)),
      slowTokenRequest: own('tokenRequestDuration', Stats.p(99)),
      tokenRequestsRefused: own('tokenRequestsRefused'),
      tokenRequestsFailed: own('tokenRequestsFailed'),
      cacheBudgetExceeded: own('cacheBudgetExceeded'),
      reloadsFailed: own('reloadsFailed'),
    },
    lambda: {
      invocations: issueToken.metricInvocations({ period }),
      errors: issueToken.metricErrors({ period }),
      throttles: issueToken.metricThrottles({ period }),
      slowDuration: issueToken.metricDuration({ period, statistic: Stats.p(99) }),
    },
    api: {
      requests: httpApi.metricCount({ period, statistic: Stats.SUM }),
      clientErrors: httpApi.metricClientError({ period, statistic: Stats.SUM }),
      serverErrors: httpApi.metricServerError({ period, statistic: Stats.SUM }),
      slowLatency: httpApi.metricLatency({ period, statistic: Stats.p(99) }),
    },
  }
}
