import { Duration } from 'aws-cdk-lib'
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2'
import { Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { serviceName } from '../../lib/configuration/surroundings.ts'
import { type MetricName, metricNamespace } from '../../lib/log/metric.ts'

const period = Duration.minutes(5)

export type StackMetrics = ReturnType<typeof createStackMetrics>

/** What dashboard and alarms look at: our own counts, Lambda's and API Gateway's. */
export function createStackMetrics(stage: string, issueToken: IFunction, httpApi: HttpApi) {
  const dimensionsMap = { service: serviceName(stage) }
  const own = (metricName: MetricName, statistic = Stats.SUM) =>
    new Metric({ namespace: metricNamespace, metricName, dimensionsMap, statistic, period })
  return {
    own: {
      tokensFromMemory: own('TokensFromMemory'),
      tokensFromCache: own('TokensFromCache'),
      tokensFromServer: own('TokensFromServer'),
      leastSecondsLeft: own('SecondsLeft', Stats.MINIMUM),
      usualTokenRequest: own('TokenRequestDuration', Stats.p(50)),
      slowTokenRequest: own('TokenRequestDuration', Stats.p(99)),
      tokenRequestsRefused: own('TokenRequestsRefused'),
      tokenRequestsFailed: own('TokenRequestsFailed'),
      cacheBudgetExceeded: own('CacheBudgetExceeded'),
      requestsFailed: own('RequestsFailed'),
      reloadsFailed: own('ReloadsFailed'),
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
