/** What the functions count, and under which names; their one dimension is `service`. */
export const metricNamespace = 'Tokenwell'

export const metricNames = {
  tokensFromMemory: 'TokensFromMemory',
  tokensFromCache: 'TokensFromCache',
  tokensFromServer: 'TokensFromServer',
  secondsLeft: 'SecondsLeft',
  tokenRequestDuration: 'TokenRequestDuration',
  tokenRequestsRefused: 'TokenRequestsRefused',
  tokenRequestsFailed: 'TokenRequestsFailed',
  cacheBudgetExceeded: 'CacheBudgetExceeded',
  reloadsFailed: 'ReloadsFailed',
} as const
