import { channel } from 'node:diagnostics_channel'
import { Logger } from '@aws-lambda-powertools/logger'
import { Metrics } from '@aws-lambda-powertools/metrics'
import { serviceName } from '../../configuration/deployment.ts'
import { type Log, type LogEvent, logEvents, meter } from '../../log/log-event.ts'
import { type Metered, type MetricName, metricNamespace, metricUnits } from '../../log/metric.ts'

/** The name of the diagnostics channel on which every event of the catalogue is published. */
export const logChannel = 'tokenwell:log'

/** Which lines and metrics are written. */
export interface LogDetail {
  /** The lowest level that is logged. The level of Powertools can only raise it. */
  readonly level: 'info' | 'warn'
  /** Whether metrics also count for their dimensions, such as the connection. */
  readonly metricsByConnection: boolean
}

const fullDetail: LogDetail = { level: 'info', metricsByConnection: true }

/**
 * Writes each event as a JSON line to standard output, publishes it to listeners in this process, and writes its metrics as a line of
 * CloudWatch EMF. Publishing costs nothing without listeners.
 */
export function createPowertoolsLog(stage: string, detail: LogDetail = fullDetail): Log {
  const logger = new Logger({ serviceName: serviceName(stage) })
  const metrics = new Metrics({ namespace: metricNamespace, serviceName: serviceName(stage) })
  const listeners = channel(logChannel)
  return function logEvent(event) {
    if (detail.level === 'info' || logEvents[event.event].level === 'warn') writeLine(logger, event)
    listeners.publish(event)
    const metered = meter(event)
    if (metered) writeMetrics(metrics, detail.metricsByConnection ? metered : { ...metered, dimensions: {} })
  }
}

/** On Lambda each line contains the request id of the invocation. */
function writeLine(logger: Logger, { event, ...fields }: LogEvent): void {
  const line = { ...invocation(), ...fields }
  if (logEvents[event].level === 'warn') logger.warn(event, line)
  else logger.info(event, line)
}

/** The store of Lambda's runtime for everything that runs within an invocation. */
interface LambdaGlobal {
  readonly awslambda?: { readonly InvokeStore?: { getRequestId(): string } }
}

function invocation(): { readonly requestId?: string } {
  const store = (globalThis as LambdaGlobal).awslambda?.InvokeStore
  return store ? { requestId: store.getRequestId() } : {}
}

function writeMetrics(metrics: Metrics, { values, dimensions }: Metered): void {
  // One set without dimensions for the whole deployment, because an alarm cannot add up the sets of all connections.
  metrics.addDimensions({})
  if (Object.keys(dimensions).length > 0) metrics.addDimensions({ ...dimensions })
  for (const [name, value] of Object.entries(values)) metrics.addMetric(name, metricUnits[name as MetricName], value)
  metrics.publishStoredMetrics()
}
