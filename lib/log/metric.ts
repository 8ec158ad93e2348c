/** The namespace of all metrics in CloudWatch. The dimension `service` separates deployments. */
export const metricNamespace = 'Tokenwell'

/** Operators hear of the end of a secret so many days before. */
export const expiresSoonDays = 30

/** The metrics for operators, by name, each with its unit. The dashboard and the alarms use the same names. */
export const metricUnits = {
  TokensFromMemory: 'Count',
  TokensFromCache: 'Count',
  TokensFromServer: 'Count',
  /** The remaining lifetime of a token when a caller got it. */
  SecondsLeft: 'Seconds',
  /** The duration of successful token requests, from sending the request to the token. */
  TokenRequestDuration: 'Milliseconds',
  /** The authorization server refused. */
  TokenRequestsRefused: 'Count',
  /** The authorization server could not be reached, was too slow, or its answer could not be used. */
  TokenRequestsFailed: 'Count',
  /** The metadata of a server named a token endpoint on a host that the elements do not name. */
  TokenEndpointsRefused: 'Count',
  /** Answers with status 500 and 502: the operator must fix something. */
  RequestsFailed: 'Count',
  /** How long the current key has been signing. */
  SigningKeyAge: 'Seconds',
  /** The current key still signs although the next key is long due: a rotation has failed. */
  SigningKeyOverdue: 'Count',
  /** The time since a jwtBuilder's publication was signed, which happens every hour. */
  PublicationAge: 'Seconds',
  /** Publications whose signature is missing, wrong, too old or in the future. */
  PublicationsRefused: 'Count',
  /** The whole days until a secret, or a certificate in it, expires. Below 0 after that. */
  SecretExpiresInDays: 'None',
  /** Completed hourly reconciliations. */
  Reconciliations: 'Count',
  CacheBudgetExceeded: 'Count',
  /** A record of the shared cache has a wrong MAC. */
  RecordsNotAuthentic: 'Count',
  /** The store did not take a record. If it is a token, every instance requests its own. */
  RecordsNotTaken: 'Count',
  ReloadsFailed: 'Count',
  /** Tokens of one warm run: renewed, not renewed, and left to the next run because there was no time. */
  WarmRenewed: 'Count',
  WarmFailed: 'Count',
  WarmLeft: 'Count',
  WarmRunDuration: 'Milliseconds',
  /** From sending a call to the end of the answer, whatever its status. */
  ApiCallDuration: 'Milliseconds',
  /** An API gave no answer that could be passed on. */
  ApiCallsFailed: 'Count',
  /** A token answer named no host, or one at which the API must not be called. */
  ApiHostsRefused: 'Count',
  /** An API rejected a token, and the call was repeated with another one. */
  ApiTokensRejected: 'Count',
  /** Counts each attempt. */
  EventsFailed: 'Count',
  /** Counts each step. */
  RotationsFailed: 'Count',
} as const

export type MetricName = keyof typeof metricUnits

/** The dimensions of metrics beside the deployment. Never a user. */
export type MetricDimension = 'connection' | 'authorizationServer' | 'jwtBuilder'

/** The metrics of one event. They count for the whole deployment, and also for the dimensions if there are any. */
export interface Metered {
  readonly values: Partial<Readonly<Record<MetricName, number>>>
  readonly dimensions: Partial<Readonly<Record<MetricDimension, string>>>
}
