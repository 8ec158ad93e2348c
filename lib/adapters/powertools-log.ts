import { Logger } from '@aws-lambda-powertools/logger'
import { serviceName } from '../configuration/surroundings.ts'
import type { Log, LogEvent } from '../log/log-event.ts'

const warnings: ReadonlySet<LogEvent['event']> = new Set([
  'request_failed',
  'previous_key_tried',
  'renewal_failed',
  'reload_failed',
  'cache_passed_over',
  'cached_token_unreadable',
  'event_not_raised',
  'event_failed',
  'dead_letter_not_taken',
  'rotation_failed',
  'publication_failed',
  'api_call_failed',
])

/** Events as JSON lines on standard output, on Lambda each with the invocation's request id. Its level is powertools' own setting, `POWERTOOLS_LOG_LEVEL`. */
export function powertoolsLog(stage: string): Log {
  const logger = new Logger({ serviceName: serviceName(stage) })
  return ({ event, ...fields }) => {
    const line = { ...invocation(), ...fields }
    if (warnings.has(event)) logger.warn(event, line)
    else logger.info(event, line)
  }
}

/** What Lambda's runtime keeps for all that runs within an invocation. */
interface LambdaGlobal {
  readonly awslambda?: { readonly InvokeStore?: { getRequestId(): string } }
}

function invocation(): { readonly requestId?: string } {
  const store = (globalThis as LambdaGlobal).awslambda?.InvokeStore
  return store ? { requestId: store.getRequestId() } : {}
}
