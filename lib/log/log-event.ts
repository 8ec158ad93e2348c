import { backgroundEvents } from './background-events.ts'
import { cacheEvents } from './cache-events.ts'
import type { Row } from './event-row.ts'
import { keyEvents } from './key-events.ts'
import type { Metered, MetricDimension } from './metric.ts'
import { requestEvents } from './request-events.ts'
import { tokenEvents } from './token-events.ts'

/**
 * The catalogue of events: the fields, level, metrics and sentence of each. No event holds a secret, an assertion, a token,
 * or the name of a user.
 */
export const logEvents = {
  ...tokenEvents,
  ...cacheEvents,
  ...backgroundEvents,
  ...keyEvents,
  ...requestEvents,
} as const

type FieldsOf<Each> = Each extends Row<infer Fields> ? Fields : never
export type LogEventName = keyof typeof logEvents
export type LogEvent = {
  [Name in LogEventName]: { readonly event: Name } & FieldsOf<(typeof logEvents)[Name]>
}[LogEventName]

/** Logs an event. It never throws, and no caller waits for it. */
export type Log = (event: LogEvent) => void

/** The row of an event, which takes only the fields of that event. */
function rowOf({ event }: LogEvent): Row<LogEvent> {
  return logEvents[event] as Row<LogEvent>
}

/** The metrics of an event. Undefined if it has none. */
export function meter(event: LogEvent): Metered | undefined {
  const { metrics, dimensions: names = [] } = rowOf(event)
  const values = metrics?.(event)
  if (!values || Object.keys(values).length === 0) return undefined
  const fields: Metered['dimensions'] & { readonly event: string } = event
  const dimensions: { [Name in MetricDimension]?: string } = {}
  for (const name of names) if (fields[name] !== undefined) dimensions[name] = fields[name]
  return { values, dimensions }
}

/** One sentence for a person at a terminal. */
export function describeLogEvent(event: LogEvent): string {
  return rowOf(event).sentence(event)
}
