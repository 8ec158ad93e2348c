import type { TestContext } from 'node:test'
import type { LogEvent } from '../../lib/log/log-event.ts'
import type { RawElements } from './elements.ts'
import { type HttpRequest, loadFunction } from './function-set.ts'
import { hearLog } from './the-log.ts'
import { type HttpAnswer, type SetOptions, sendHttp, startTheSet, type TheSet } from './the-set.ts'

/** The call-api function as it is wired, beside a real authorization server. */
export interface ApiCalls extends TheSet {
  /** One call of the connection's API, GET `/things` unless said otherwise. */
  call(request?: Partial<HttpRequest>): Promise<HttpAnswer>
  /** All that was logged since the start, in order. */
  readonly events: readonly LogEvent[]
  /** What the log says of requests that failed, one line each. */
  reasons(): string[]
}

export async function startApiCalls(
  t: TestContext,
  elements: (issuer: string) => RawElements,
  options: SetOptions = {},
): Promise<ApiCalls> {
  const set = await startTheSet(t, elements, options)
  const handler = await loadFunction('call-api', set.workspace, options.environment)
  const events = hearLog(t)
  return {
    ...set,
    events,
    call: (request = {}) => sendHttp(handler, { method: 'GET', path: '/connections/conn/api/things', ...request }),
    reasons: () => events.flatMap((event) => (event.event === 'request_failed' ? [event.reason] : [])),
  }
}
