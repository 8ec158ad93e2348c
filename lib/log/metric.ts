import type { LogEvent } from './log-event.ts'

/** Under which all metrics stand in CloudWatch; the dimension `service` tells deployments apart. */
export const metricNamespace = 'Tokenwell'

/** What operators count, by name, and in which unit: the same names in dashboard and alarms. */
export const metricUnits = {
  TokensFromMemory: 'Count',
  TokensFromCache: 'Count',
  TokensFromServer: 'Count',
  /** What a token had to live when it was handed out. */
  SecondsLeft: 'Seconds',
  /** From sending to the token, of those that brought one. */
  TokenRequestDuration: 'Milliseconds',
  /** The authorization server said no. */
  TokenRequestsRefused: 'Count',
  /** It could not be reached, was too slow, or its answer could not be used. */
  TokenRequestsFailed: 'Count',
  /** Answers with status 500 and 502: something has to be mended. */
  RequestsFailed: 'Count',
  /** Of the key that signed, since it began to. */
  SigningKeyAge: 'Seconds',
  /** It signs on though the next one is long due: a rotation has failed. */
  SigningKeyOverdue: 'Count',
  CacheBudgetExceeded: 'Count',
  ReloadsFailed: 'Count',
  /** By a run of the schedule: renewed, not renewed, and left to the next run for want of time. */
  WarmRenewed: 'Count',
  WarmFailed: 'Count',
  WarmLeft: 'Count',
  WarmRunDuration: 'Milliseconds',
  /** From sending to the answer's end, whatever the answer. */
  ApiCallDuration: 'Milliseconds',
  /** An API gave no answer that could be passed on. */
  ApiCallsFailed: 'Count',
  /** An API refused a token, and the call was repeated with another one. */
  ApiTokensRejected: 'Count',
  /** Each attempt. */
  EventsFailed: 'Count',
  /** Each step. */
  RotationsFailed: 'Count',
} as const

export type MetricName = keyof typeof metricUnits

/** Metrics of one event. Counted for the deployment as a whole and, where they are known, by these dimensions; never by user. */
export interface Metered {
  readonly values: Partial<Readonly<Record<MetricName, number>>>
  readonly dimensions: {
    readonly connection?: string
    readonly authorizationServer?: string
    readonly jwtBuilder?: string
  }
}

const sources = { memory: 'TokensFromMemory', cache: 'TokensFromCache', server: 'TokensFromServer' } as const
const firstServerFault = 500
const passing: readonly number[] = [503, 504]

/** What counts of an event; undefined where nothing does. */
export function meter(event: LogEvent): Metered | undefined {
  switch (event.event) {
    case 'token_handed_out': {
      const { connection, source, secondsLeft } = event
      return { values: { [sources[source]]: 1, SecondsLeft: secondsLeft }, dimensions: { connection } }
    }
    case 'token_obtained': {
      const { connection, authorizationServer, milliseconds } = event
      return { values: { TokenRequestDuration: milliseconds }, dimensions: { connection, authorizationServer } }
    }
    case 'token_request_failed': {
      const { connection, authorizationServer, code } = event
      const name = code === 'refused' ? 'TokenRequestsRefused' : 'TokenRequestsFailed'
      return { values: { [name]: 1 }, dimensions: { connection, authorizationServer } }
    }
    case 'request_failed': {
      const { status, connection } = event
      if (status < firstServerFault || passing.includes(status)) return undefined
      return { values: { RequestsFailed: 1 }, dimensions: { ...(connection !== undefined && { connection }) } }
    }
    case 'reload_failed':
      return { values: { ReloadsFailed: 1 }, dimensions: { connection: event.connection } }
    case 'cache_passed_over':
      return { values: { CacheBudgetExceeded: 1 }, dimensions: {} }
    case 'warm_run_ended': {
      const { renewed, failed, left, milliseconds } = event
      const values = { WarmRenewed: renewed, WarmFailed: failed, WarmLeft: left, WarmRunDuration: milliseconds }
      return { values, dimensions: {} }
    }
    case 'event_failed':
      return { values: { EventsFailed: 1 }, dimensions: {} }
    case 'rotation_failed':
      return { values: { RotationsFailed: 1 }, dimensions: {} }
    case 'keys_published': {
      const { jwtBuilder, keyAgeSeconds, isKeyOverdue } = event
      if (keyAgeSeconds === undefined) return undefined
      // Zero says that it was looked at: without it an alarm would not know the one from the other.
      const overdue = isKeyOverdue !== undefined && { SigningKeyOverdue: Number(isKeyOverdue) }
      return { values: { SigningKeyAge: keyAgeSeconds, ...overdue }, dimensions: { jwtBuilder } }
    }
    case 'api_called':
      return { values: { ApiCallDuration: event.milliseconds }, dimensions: { connection: event.connection } }
    case 'api_call_failed':
      return { values: { ApiCallsFailed: 1 }, dimensions: { connection: event.connection } }
    case 'api_call_repeated':
      if (event.reason !== 'token_rejected') return undefined
      return { values: { ApiTokensRejected: 1 }, dimensions: { connection: event.connection } }
    case 'connection_resolved':
    case 'client_authenticated':
    case 'token_request_repeated':
    case 'cool_down_begun':
    case 'clock_offset_learned':
    case 'newer_secret_found':
    case 'previous_key_tried':
    case 'cached_token_unreadable':
    case 'renewal_failed':
    case 'event_not_raised':
    case 'event_answered':
    case 'dead_letter_not_taken':
    case 'rotation_step_done':
    case 'publication_failed':
      return undefined
  }
}
