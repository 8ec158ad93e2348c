import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import type { Log } from '../log/log-event.ts'

/** The same log, whose events that operators count are metrics, too: CloudWatch EMF on standard output. */
export function withPowertoolsMetrics(log: Log): Log {
  const metrics = new Metrics({ namespace: 'Tokenwell', serviceName: 'tokenwell' })
  return (event) => {
    log(event)
    if (event.event !== 'cache_passed_over') return
    metrics.addMetric('CacheBudgetExceeded', MetricUnit.Count, 1)
    metrics.publishStoredMetrics()
  }
}
