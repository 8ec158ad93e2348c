/** What a stage writes about its work. Logs, metrics and traces are a large part of the cost of many calls. */
export interface TelemetrySettings {
  /**
   * Whether each metric also counts for each connection, authorization server and jwtBuilder. Alarms and dashboard need only the
   * metrics of the whole stage.
   * @default true
   */
  readonly metricsByConnection?: boolean
  /**
   * Whether X-Ray traces the functions.
   * @default true
   */
  readonly tracing?: boolean
  /**
   * The lowest level that the functions log. With `warn`, the log has failures only, and no line `token_issued` that says which caller
   * got a token. Metrics are written at every level.
   * @default 'info'
   */
  readonly logLevel?: 'info' | 'warn'
  /**
   * The lowest level of the lines that Lambda itself logs. With `info`, these are two lines for each run. With `warn`, they are runs
   * that ended without an answer.
   * @default 'warn'
   */
  readonly platformLogLevel?: 'info' | 'warn'
}

/** The variables of a function for what differs from their defaults. */
export function telemetryVariables({ metricsByConnection = true, logLevel = 'info' }: TelemetrySettings) {
  return {
    ...(!metricsByConnection && { TOKENWELL_METRICS_BY_CONNECTION: 'false' }),
    ...(logLevel !== 'info' && { TOKENWELL_LOG_LEVEL: logLevel }),
  }
}
