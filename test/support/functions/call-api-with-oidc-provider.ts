import type { TestContext } from 'node:test'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import type { RawElements } from '../elements/elements.ts'
import { captureLog } from '../output/captured-log.ts'
import { type HttpAnswer, sendHttp } from './function-caller.ts'
import {
  type IssueTokenWithOidcProvider,
  type IssueTokenWithOidcProviderOptions,
  startIssueTokenWithOidcProvider,
} from './issue-token-with-oidc-provider.ts'
import { type HttpRequest, loadFunction } from './load-function.ts'

/** The call-api function with the product's own wiring, and a real authorization server. */
export interface CallApiWithOidcProvider extends IssueTokenWithOidcProvider {
  /** Makes one call to the connection's API, `GET /things` by default. */
  call(request?: Partial<HttpRequest>): Promise<HttpAnswer>
  /** Everything that was logged since the start, in order. */
  readonly events: readonly LogEvent[]
  /** The logged reasons of failed requests, one line each. */
  reasons(): string[]
}

export async function startCallApiWithOidcProvider(
  t: TestContext,
  elements: (issuer: string) => RawElements,
  options: IssueTokenWithOidcProviderOptions = {},
): Promise<CallApiWithOidcProvider> {
  const set = await startIssueTokenWithOidcProvider(t, elements, options)
  const handler = await loadFunction('call-api', set.workspace, options.environment)
  const events = captureLog(t)
  return {
    ...set,
    events,
    call: (request = {}) => sendHttp(handler, { method: 'GET', path: '/connections/conn/api/things', ...request }),
    reasons: () => events.flatMap((event) => (event.event === 'request_failed' ? [event.reason] : [])),
  }
}
