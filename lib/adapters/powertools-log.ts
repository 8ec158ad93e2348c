import { Logger } from '@aws-lambda-powertools/logger'
import type { Log } from '../log/log-event.ts'

/** Events as JSON lines on standard output. Its level is powertools' own setting, `POWERTOOLS_LOG_LEVEL`. */
export function powertoolsLog(): Log {
  const logger = new Logger({ serviceName: 'tokenwell' })
  return ({ event, ...fields }) => {
    if (event === 'request_failed' || event === 'renewal_failed') logger.warn(event, fields)
    else logger.info(event, fields)
  }
}
