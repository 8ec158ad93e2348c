import type { Metric } from 'aws-cdk-lib/aws-cloudwatch'
import { expiresSoonDays } from '../../lib/log/metric.ts'
import { type FunctionId, type FunctionRow, functionIds, functionTable } from './function-table.ts'
import type { FunctionMetrics, StackMetrics } from './stack-metrics.ts'

type HttpFunctionId = {
  [Id in FunctionId]: (typeof functionTable)[Id]['invoker'] extends 'http-api' ? Id : never
}[FunctionId]
type OfFunction<Id extends FunctionId> = `${Id}${'Errors' | 'Throttles'}`

/** The alarms of a share, in percent: what they count grows with the traffic. */
export type ShareAlarmName =
  | 'tokenRequestsRefused'
  | 'tokenRequestsFailed'
  | 'apiCallsFailed'
  | 'cacheBudgetExceeded'
  | 'apiServerErrors'
  | OfFunction<HttpFunctionId>

/** The alarms of a number. */
export type NumberAlarmName =
  | 'apiHostsRefused'
  | 'recordsNotAuthentic'
  | 'recordsNotTaken'
  | 'reloadsFailed'
  | 'warmRunsMissing'
  | 'warmRenewalsFailing'
  | 'warmWorkLeft'
  | 'deadLetters'
  | 'eventsWaiting'
  | 'signingKeyOverdue'
  | 'rotationsFailed'
  | 'secretExpiresSoon'
  | 'secretExpired'
  | 'publicationsRefused'
  | 'publicationsNotSigned'
  | 'reconciliationsMissing'
  | OfFunction<Exclude<FunctionId, HttpFunctionId>>

/** The names of the alarms of a stage. */
export type AlarmName = ShareAlarmName | NumberAlarmName

interface Condition {
  /** For one period of the metric; of a share, in percent. */
  readonly threshold: number
  /** How many periods in a row. */
  readonly periods?: number
  readonly meaning: string
}

/** An alarm of a number. */
interface NumberCondition extends Condition {
  readonly metric: Metric
  /** The alarm goes off below the threshold, and also when there is no value at all. */
  readonly isExpected?: true
  /** The alarm goes off below the threshold. */
  readonly isLow?: true
}

/** An alarm of a share. CloudWatch takes a missing value for 0, so what only failures or only successes report needs no filling. */
interface ShareCondition extends Condition {
  readonly counted: Metric
  /** What the counted ones are a share of: a sum of `counted` and the names of the metrics. */
  readonly total: string
  readonly metrics: Readonly<Record<string, Metric>>
  /** The same for readers. */
  readonly shareOf: string
  /** How many must be counted in a period. It keeps one failure of a few requests from being a high share. */
  readonly minimum: number
}

export type AlarmCondition = NumberCondition | ShareCondition

/** One condition for each case in which an operator has to act. No alarm goes off only because there are no calls. */
export function alarmConditions({
  own,
  lambda,
  queue,
  api,
}: StackMetrics): Readonly<Record<AlarmName, AlarmCondition>> {
  return {
    ...conditionsOfTokens(own),
    ...conditionsOfWarming(own),
    ...conditionsOfEvents(queue),
    ...conditionsOfKeys(own),
    ...conditionsOfFunctions(lambda),
    apiServerErrors: {
      counted: api.serverErrors,
      total: 'requests',
      metrics: { requests: api.requests },
      shareOf: 'requests to the HTTP API',
      threshold: 1,
      minimum: 5,
      meaning:
        'Callers get 5xx answers to token requests or API calls. Look for request_failed and api_call_failed in the logs of the functions.',
    },
  }
}

function conditionsOfTokens(own: StackMetrics['own']) {
  return {
    tokenRequestsRefused: {
      counted: own.tokenRequestsRefused,
      total: 'counted + failed + successful',
      metrics: { failed: own.tokenRequestsFailed, successful: own.tokenRequestsSuccessful },
      shareOf: 'token requests',
      threshold: 1,
      minimum: 1,
      meaning:
        'An authorization server refuses a client, user or scope, so no caller gets that token. Look for token_request_refused in the logs: it says what was sent.',
    },
    tokenRequestsFailed: {
      counted: own.tokenRequestsFailed,
      total: 'counted + refused + successful',
      metrics: { refused: own.tokenRequestsRefused, successful: own.tokenRequestsSuccessful },
      shareOf: 'token requests',
      threshold: 1,
      minimum: 5,
      meaning:
        'A token endpoint cannot be reached, throttles requests or sends unreadable answers. Look for token_request_failed in the logs.',
    },
    apiCallsFailed: {
      counted: own.apiCallsFailed,
      total: 'counted + answered',
      metrics: { answered: own.apiCalls },
      shareOf: 'API calls',
      threshold: 1,
      minimum: 5,
      meaning:
        'An API cannot be reached, or its answers cannot be passed on to callers. Look for api_call_failed in the log of call-api.',
    },
    apiHostsRefused: {
      metric: own.apiHostsRefused,
      threshold: 1,
      meaning:
        'A token answer names a host that hostFrom does not allow, or one without a public address, so no call is made. Look for api_host_refused in the log of call-api.',
    },
    tokenEndpointsRefused: {
      metric: own.tokenEndpointsRefused,
      threshold: 1,
      meaning:
        'The metadata of an authorization server names a token endpoint on a host that the elements do not name, so no token request is sent there. Look for token_endpoint_on_new_host in the logs.',
    },
    cacheBudgetExceeded: {
      counted: own.cacheBudgetExceeded,
      total: 'counted + cached + requested',
      metrics: { cached: own.tokensFromCache, requested: own.tokensFromServer },
      shareOf: 'tokens that were not in memory',
      threshold: 1,
      minimum: 3,
      periods: 2,
      meaning:
        'The shared cache fails or is slow, so each instance requests its own tokens. Look for cache_passed_over in the logs.',
    },
    recordsNotAuthentic: {
      metric: own.recordsNotAuthentic,
      threshold: 1,
      meaning:
        'A record of the shared cache was written without the keys of the cache, or the naming key was changed. Find out who can write to the table.',
    },
    recordsNotTaken: {
      metric: own.recordsNotTaken,
      threshold: 1,
      meaning:
        'The shared cache rejects a record because it is too large or the cache is full. Look for record_not_taken in the logs.',
    },
    reloadsFailed: {
      metric: own.reloadsFailed,
      threshold: 1,
      periods: 2,
      meaning:
        'The elements cannot be read or have mistakes. The functions continue with the last valid ones. Run npm run validate.',
    },
  } satisfies Readonly<Record<string, AlarmCondition>>
}

function conditionsOfWarming(own: StackMetrics['own']) {
  return {
    warmRunsMissing: {
      metric: own.warmRuns,
      threshold: 1,
      isExpected: true,
      meaning:
        'No run of warm-tokens has finished, so tokens go stale unless callers ask for them. See the log of warm-tokens.',
    },
    warmRenewalsFailing: {
      metric: own.warmFailed,
      threshold: 1,
      periods: 3,
      meaning:
        'For 15 minutes warm-tokens could not renew some tokens. They are handed out until they expire. Look for renewal_failed in the log of warm-tokens.',
    },
    warmWorkLeft: {
      metric: own.warmLeft,
      threshold: 1,
      periods: 3,
      meaning:
        'For 15 minutes runs of warm-tokens ended before all tokens were renewed. A token endpoint is slow, or too many tokens are kept warm.',
    },
  } satisfies Readonly<Record<string, AlarmCondition>>
}

function conditionsOfEvents({ deadLetters, oldestSeconds }: StackMetrics['queue']) {
  return {
    deadLetters: {
      metric: deadLetters,
      threshold: 1,
      meaning:
        'An event was given up. Read the reason in its message in the dead-letter queue, fix the cause, then delete the message.',
    },
    eventsWaiting: {
      metric: oldestSeconds,
      // Later than the third delivery of an event that fails, which is a dead letter then.
      threshold: 900,
      meaning:
        'An event has waited for more than 15 minutes, so changes of elements and keys take effect late. See the log of refresh-token.',
    },
  } satisfies Readonly<Record<string, AlarmCondition>>
}

function conditionsOfKeys(own: StackMetrics['own']) {
  return {
    signingKeyOverdue: {
      metric: own.signingKeysOverdue,
      threshold: 1,
      meaning:
        'A signing key is older than its rotation time, because the next key was not made. Look for failed rotations in Secrets Manager and for rotation_failed in the log of rotate-key.',
    },
    rotationsFailed: {
      metric: own.rotationsFailed,
      threshold: 1,
      meaning:
        'A step of a rotation failed. The current key stays in use. Look for rotation_failed in the log of rotate-key, then rotate the secret again.',
    },
    secretExpiresSoon: {
      metric: own.fewestDaysOfSecret,
      threshold: expiresSoonDays,
      isLow: true,
      meaning:
        'A secret, or a certificate in one, expires in less than 30 days. Look for secret_date_noticed in the log of refresh-token: it names the secret and the day.',
    },
    secretExpired: {
      metric: own.fewestDaysOfSecret,
      threshold: 0,
      isLow: true,
      meaning:
        'A secret, or a certificate in one, has expired. It is still used, and the other server may refuse it. Look for secret_date_noticed in the log of refresh-token.',
    },
    publicationsRefused: {
      metric: own.publicationsRefused,
      threshold: 1,
      meaning:
        'The record of published keys was not written by Tokenwell, or is an old record that was put back. None of its keys is published. Find out who can write to the table.',
    },
    publicationsNotSigned: {
      metric: own.oldestPublication,
      threshold: 3 * 3_600,
      meaning:
        'The published keys of a jwtBuilder have not been signed for 3 h. After 25 h they are no longer published. Look for publication_failed in the log of refresh-token.',
    },
    reconciliationsMissing: {
      metric: own.reconciliations,
      threshold: 1,
      isExpected: true,
      meaning:
        'No hourly reconciliation has finished for 3 h. After 25 h no key is published any more. See the log of refresh-token, and check the rule Reconciliation.',
    },
  } satisfies Readonly<Record<string, AlarmCondition>>
}

function conditionsOfFunctions(
  lambda: StackMetrics['lambda'],
): Readonly<Record<OfFunction<FunctionId>, AlarmCondition>> {
  const entries = functionIds.flatMap((id) => conditionsOfFunction(id, functionTable[id], lambda[id]))
  return Object.fromEntries(entries) as Record<OfFunction<FunctionId>, AlarmCondition>
}

/** The runs of a function behind the HTTP API are as many as the requests. */
function conditionsOfFunction(
  id: FunctionId,
  { name, invoker }: FunctionRow,
  { errors, throttles, invocations }: FunctionMetrics,
): [OfFunction<FunctionId>, AlarmCondition][] {
  const growsWithTraffic = invoker === 'http-api'
  const share = { metrics: { runs: invocations }, shareOf: 'runs', threshold: 1, minimum: 1 }
  return [
    [
      `${id}Errors`,
      {
        ...(growsWithTraffic ? { ...share, counted: errors, total: 'runs' } : { metric: errors, threshold: 1 }),
        meaning: `${name} failed or timed out. See its log.`,
      },
    ],
    [
      `${id}Throttles`,
      {
        ...(growsWithTraffic
          ? { ...share, counted: throttles, total: 'counted + runs' }
          : { metric: throttles, threshold: 1 }),
        meaning: `Lambda rejects calls of ${name} because its concurrency is used up. Raise the account's concurrency or the function's reservedConcurrency.`,
      },
    ],
  ]
}
