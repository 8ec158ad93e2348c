import { Metrics } from '@aws-lambda-powertools/metrics'
import { serviceName } from '../configuration/surroundings.ts'
import type { Log } from '../log/log-event.ts'
import { type Metered, type MetricName, meter, metricNamespace, metricUnits } from '../log/metric.ts'

/** The same log, whose events that operators count are metrics, too: CloudWatch EMF on standard output, a line an event. */
export function withPowertoolsMetrics(log: Log, stage: string): Log {
  const metrics = new Metrics({ namespace: metricNamespace, serviceName: serviceName(stage) })
  return (event) => {
    log(event)
    const metered = meter(event)
    if (metered) publish(metrics, metered)
  }
}

function publish(metrics: Metrics, { values, dimensions }: Metered): void {
  // One set for the deployment as a whole, since an alarm can't add up those of its connections.
  metrics.addDimensions({})
  if (Object.keys(dimensions).length > 0) metrics.addDimensions({ ...dimensions })
  for (const [name, value] of Object.entries(values)) metrics.addMetric(name, metricUnits[name as MetricName], value)
  metrics.publishStoredMetrics()
}
