import { Duration } from 'aws-cdk-lib'
import { Metric, type MetricOptions, Stats } from 'aws-cdk-lib/aws-cloudwatch'
import { serviceName } from '../../lib/configuration/deployment.ts'
import { type MetricName, metricNamespace, metricUnits } from '../../lib/log/metric.ts'

export const metricPeriod = Duration.minutes(5)

/** A metric of Tokenwell. Dimensions of the options are added to the stage, such as `{ connection: 'orders' }`. */
export function stageMetric(stage: string, metricName: MetricName, options: MetricOptions = {}): Metric {
  return new Metric({
    namespace: metricNamespace,
    metricName,
    statistic: metricUnits[metricName] === 'Count' ? Stats.SUM : Stats.AVERAGE,
    period: metricPeriod,
    ...options,
    dimensionsMap: { service: serviceName(stage), ...options.dimensionsMap },
  })
}

/** A metric of API Gateway about one HTTP API. */
export function httpApiMetric(httpApiId: string, metricName: string, options: MetricOptions = {}): Metric {
  return new Metric({
    namespace: 'AWS/ApiGateway',
    metricName,
    statistic: metricName === 'Latency' ? Stats.AVERAGE : Stats.SUM,
    period: metricPeriod,
    ...options,
    dimensionsMap: { ApiId: httpApiId, ...options.dimensionsMap },
  })
}
