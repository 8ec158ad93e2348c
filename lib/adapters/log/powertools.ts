import { channel } from 'node:diagnostics_channel'
import { Logger } from '@aws-lambda-powertools/logger'
import { Metrics } from '@aws-lambda-powertools/metrics'
import { serviceName } from '../../configuration/deployment.ts'
import type { Log, LogEvent } from '../../log/log-event.ts'
import { type Metered, type MetricName, meter, metricNamespace, metricUnits } from '../../log/metric.ts'

const warnings: ReadonlySet<LogEvent['event']> = new Set([
  'request_failed',
  'previous_key_tried',
  'renewal_failed',
  'reload_failed',
  'cache_passed_over',
  'cached_token_unreadable',
  'event_not_raised',
  'event_failed',
  'dead_letter_not_taken',
  'rotation_failed',
  'publication_failed',
  'api_call_failed',
])

/** Events as JSON lines on standard output, on Lambda each with the invocation's request id. Its level is powertools' own setting, `POWERTOOLS_LOG_LEVEL`. */
export function powertoolsLog(stage: string): Log {
  const logger = new Logger({ serviceName: serviceName(stage) })
  return ({ event, ...fields }) => {
    const line = { ...invocation(), ...fields }
    if (warnings.has(event)) logger.warn(event, line)
    else logger.info(event, line)
  }
}

/** What Lambda's runtime keeps for all that runs within an invocation. */
interface LambdaGlobal {
  readonly awslambda?: { readonly InvokeStore?: { getRequestId(): string } }
}

function invocation(): { readonly requestId?: string } {
  const store = (globalThis as LambdaGlobal).awslambda?.InvokeStore
  return store ? { requestId: store.getRequestId() } : {}
}

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

/** The name of the diagnostics channel on which every event of the catalogue is published. */
export const logChannel = 'tokenwell:log'

/** The same log, which monitors in this process can listen to. Costs nothing while none does. */
export function publishedLog(log: Log): Log {
  const events = channel(logChannel)
  return (event) => {
    log(event)
    events.publish(event)
  }
}
