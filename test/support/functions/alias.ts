import type { Context } from 'aws-lambda'
import { createLocalContext } from '../../../infra/local/http-gateway.ts'
import { isJsonObject } from '../../../lib/base/decoding.ts'
import { canHaveAlias } from '../../../lib/configuration/direct-invocation.ts'
import { aliasOf, liveAlias } from '../../../lib/http-interface/entry.ts'

/**
 * The alias for such an event: `_live` for an event of an HTTP API, or else the alias of the connection that it names, which is
 * `conn` where it names none.
 */
export function aliasFor(event: unknown): string {
  if (isJsonObject(event) && isJsonObject(event['requestContext'])) return liveAlias
  const named = isJsonObject(event) ? event['connection'] : undefined
  return aliasOf(typeof named === 'string' && canHaveAlias(named) ? named : 'conn')
}

/** The context of an invocation by that alias. */
export function contextFor(event: unknown): Context {
  return createLocalContext(Date.now(), `issue-token:${aliasFor(event)}`)
}
