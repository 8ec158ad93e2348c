import { Logger } from '@aws-lambda-powertools/logger'
import type { Log, LogEvent } from '../log/log-event.ts'

const warnings: ReadonlySet<LogEvent['event']> = new Set([
  'request_failed',
  'renewal_failed',
  'reload_failed',
  'cache_passed_over',
  'cached_token_unreadable',
])

/** Events as JSON lines on standard output. Its level is powertools' own setting, `POWERTOOLS_LOG_LEVEL`. */
export function powertoolsLog(): Log {
  const logger = new Logger({ serviceName: 'tokenwell' })
  return ({ event, ...fields }) => {
    if (warnings.has(event)) logger.warn(event, fields)
    else logger.info(event, fields)
  }
}
