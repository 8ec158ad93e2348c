/** The namespace of all metrics in CloudWatch. The dimension `service` tells deployments apart. */
export const metricNamespace = 'Tokenwell'

/** The metrics that operators see, by name, each with its unit. Dashboard and alarms use the same names. */
export const metricUnits = {
  TokensFromMemory: 'Count',
  TokensFromCache: 'Count',
  TokensFromServer: 'Count',
  /** The remaining lifetime of a token when it was handed out. */
  SecondsLeft: 'Seconds',
  /** From sending a request to the token, for requests that brought one. */
  TokenRequestDuration: 'Milliseconds',
  /** The authorization server said no. */
  TokenRequestsRefused: 'Count',
  /** It could not be reached, was too slow, or its answer could not be used. */
  TokenRequestsFailed: 'Count',
  /** Answers with status 500 and 502: something has to be mended. */
  RequestsFailed: 'Count',
  /** The age of the key that signed, since it began to sign. */
  SigningKeyAge: 'Seconds',
  /** The key signs on though the next one is long due: a rotation has failed. */
  SigningKeyOverdue: 'Count',
  /** Since a jwtBuilder's published keys were signed, which is done every hour. */
  PublicationAge: 'Seconds',
  /** Records of published keys that are none of ours. */
  PublicationsRefused: 'Count',
  /** Hourly looks at everything that came to their end. */
  Reconciliations: 'Count',
  CacheBudgetExceeded: 'Count',
  /** A record of the shared cache has a wrong MAC. */
  RecordsNotAuthentic: 'Count',
  /** The store did not take a record: a token that every instance asks for by itself. */
  RecordsNotTaken: 'Count',
  ReloadsFailed: 'Count',
  /** Tokens of one run of the schedule: renewed, not renewed, and left to the next run for want of time. */
  WarmRenewed: 'Count',
  WarmFailed: 'Count',
  WarmLeft: 'Count',
  WarmRunDuration: 'Milliseconds',
  /** From sending a call to the end of the answer, whatever the answer. */
  ApiCallDuration: 'Milliseconds',
  /** An API gave no answer that could be passed on. */
  ApiCallsFailed: 'Count',
  /** An API refused a token, and the call was repeated with another one. */
  ApiTokensRejected: 'Count',
  /** Counts each attempt. */
  EventsFailed: 'Count',
  /** Counts each step. */
  RotationsFailed: 'Count',
} as const

export type MetricName = keyof typeof metricUnits

/** What a metric may be divided by, beside the deployment. Never a user. */
export type MetricDimension = 'connection' | 'authorizationServer' | 'jwtBuilder'

/** The metrics of one event. They count for the deployment as a whole and, where there are dimensions, for these as well. */
export interface Metered {
  readonly values: Partial<Readonly<Record<MetricName, number>>>
  readonly dimensions: Partial<Readonly<Record<MetricDimension, string>>>
}
