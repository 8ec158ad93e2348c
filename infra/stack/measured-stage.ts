import type { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch'
import { Construct, type IConstruct } from 'constructs'
import type { MetricName } from '../../lib/log/metric.ts'
import { httpApiMetric, stageMetric } from './stage-metric.ts'

/**
 * The metrics of a stage. Each has a period of 5 minutes unless the options set another one. `dimensionsMap: { connection: 'orders' }`
 * chooses those of one connection.
 */
export interface IMeasuredStage extends IConstruct {
  /** Any metric of the reference in `lib/log/README.md`: the sum of a count, the average of all others. */
  metric(metricName: MetricName, options?: MetricOptions): Metric
  /** Tokens that callers got from the memory of an instance. */
  metricTokensFromMemory(options?: MetricOptions): Metric
  /** Tokens that callers got from the shared cache. */
  metricTokensFromCache(options?: MetricOptions): Metric
  /** Tokens that callers got from the authorization server. */
  metricTokensFromServer(options?: MetricOptions): Metric
  /** Token requests that brought a token. */
  metricTokenRequests(options?: MetricOptions): Metric
  /** Milliseconds of token requests that brought a token. */
  metricTokenRequestDuration(options?: MetricOptions): Metric
  /** Token requests that the authorization server refused. */
  metricTokenRequestsRefused(options?: MetricOptions): Metric
  /** Token requests without a usable answer. */
  metricTokenRequestsFailed(options?: MetricOptions): Metric
  /** Requests of callers that failed for a reason that an operator must fix. */
  metricRequestsFailed(options?: MetricOptions): Metric
  /** Calls of APIs that were answered, with any status. */
  metricApiCalls(options?: MetricOptions): Metric
  /** Milliseconds of calls of APIs that were answered. */
  metricApiCallDuration(options?: MetricOptions): Metric
  /** Calls of APIs without an answer that can be passed on. */
  metricApiCallsFailed(options?: MetricOptions): Metric
  /** Requests to the HTTP API. */
  metricRequests(options?: MetricOptions): Metric
  /** Answers of the HTTP API with a status of 400 to 499. */
  metricClientErrors(options?: MetricOptions): Metric
  /** Answers of the HTTP API with a status of 500 and more. */
  metricServerErrors(options?: MetricOptions): Metric
  /** Milliseconds from a request to the HTTP API to its answer. */
  metricLatency(options?: MetricOptions): Metric
}

export abstract class MeasuredStage extends Construct implements IMeasuredStage {
  abstract readonly stage: string
  abstract readonly httpApiId: string
  /** Where the metrics are, if they are not in the region and account of the stack. */
  protected placeOfMetrics: Pick<MetricOptions, 'account' | 'region'> = {}

  metric(metricName: MetricName, options: MetricOptions = {}): Metric {
    return stageMetric(this.stage, metricName, { ...this.placeOfMetrics, ...options }).attachTo(this)
  }

  metricTokensFromMemory(options?: MetricOptions): Metric {
    return this.metric('TokensFromMemory', options)
  }

  metricTokensFromCache(options?: MetricOptions): Metric {
    return this.metric('TokensFromCache', options)
  }

  metricTokensFromServer(options?: MetricOptions): Metric {
    return this.metric('TokensFromServer', options)
  }

  metricTokenRequests(options?: MetricOptions): Metric {
    return this.metric('TokenRequestDuration', { statistic: 'SampleCount', ...options })
  }

  metricTokenRequestDuration(options?: MetricOptions): Metric {
    return this.metric('TokenRequestDuration', options)
  }

  metricTokenRequestsRefused(options?: MetricOptions): Metric {
    return this.metric('TokenRequestsRefused', options)
  }

  metricTokenRequestsFailed(options?: MetricOptions): Metric {
    return this.metric('TokenRequestsFailed', options)
  }

  metricRequestsFailed(options?: MetricOptions): Metric {
    return this.metric('RequestsFailed', options)
  }

  metricApiCalls(options?: MetricOptions): Metric {
    return this.metric('ApiCallDuration', { statistic: 'SampleCount', ...options })
  }

  metricApiCallDuration(options?: MetricOptions): Metric {
    return this.metric('ApiCallDuration', options)
  }

  metricApiCallsFailed(options?: MetricOptions): Metric {
    return this.metric('ApiCallsFailed', options)
  }

  metricRequests(options?: MetricOptions): Metric {
    return this.httpMetric('Count', options)
  }

  metricClientErrors(options?: MetricOptions): Metric {
    return this.httpMetric('4xx', options)
  }

  metricServerErrors(options?: MetricOptions): Metric {
    return this.httpMetric('5xx', options)
  }

  metricLatency(options?: MetricOptions): Metric {
    return this.httpMetric('Latency', options)
  }

  private httpMetric(metricName: string, options: MetricOptions = {}): Metric {
    return httpApiMetric(this.httpApiId, metricName, { ...this.placeOfMetrics, ...options }).attachTo(this)
  }
}
