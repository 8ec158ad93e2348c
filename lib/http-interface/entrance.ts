import type { Context } from 'aws-lambda'
import { AccessDeniedError } from '../admission/access-denied.ts'
import { isJsonObject } from '../base/decoding.ts'
import type { Log } from '../log/log-event.ts'
import {
  aliasOf,
  type DirectEntry,
  type Entry,
  type EntrySettings,
  entryOf,
  liveAlias,
  mutualTlsAlias,
  type UnqualifiedEntry,
} from './entry.ts'
import { type ErrorAnswer, errorAnswer } from './error-answer.ts'
import { errorResponse, logError, withProxyStatus } from './error-response.ts'
import type { HttpFunction } from './http-function.ts'

interface EntranceOptions extends EntrySettings {
  readonly answerHttp: HttpFunction
  /** Answers any request other than an event of an HTTP API. It may throw. */
  readonly answerDirectly: (
    request: unknown,
    context: Context,
    entry: DirectEntry | UnqualifiedEntry,
  ) => Promise<object>
  /** An error in the form of the function's direct answers. */
  readonly directErrorAnswer: (answer: ErrorAnswer, requestId: string, error: unknown) => object
  /** The function returns answers of another server. `proxy-status` marks the errors of Tokenwell itself. */
  readonly isProxy?: boolean
  readonly log: Log
}

/**
 * Makes a Lambda function that takes from each alias only what belongs to it: events of an HTTP API from `_live` and `_mtls`, direct
 * requests from `c-<connection>`. It reads the alias before it looks at the event, for each invocation anew. It never throws.
 */
export function createEntrance(options: EntranceOptions) {
  const { answerHttp, answerDirectly, directErrorAnswer, isProxy = false, earlierRecords, log } = options

  return async function enter(event: unknown, context: Context): Promise<object> {
    let entry: Entry | undefined
    try {
      entry = entryOf(context.invokedFunctionArn, { earlierRecords })
      if (isHttpEvent(event)) return await answerHttp(event, context, demandHttp(entry))
      return await answerDirectly(event, context, demandDirect(entry))
    } catch (error) {
      const answer = errorAnswer(error)
      const { awsRequestId } = context
      logError(log, answer, awsRequestId, entry?.kind === 'direct' ? entry.connection : namedBy(event))
      if (!isHttpEvent(event)) return directErrorAnswer(answer, awsRequestId, error)
      // API Gateway would turn an answer in any other form into a success.
      const response = errorResponse(answer, awsRequestId)
      return isProxy ? withProxyStatus(response, error) : response
    }
  }
}

function namedBy(event: unknown): unknown {
  return isJsonObject(event) ? event['connection'] : undefined
}

function isHttpEvent(event: unknown): boolean {
  return isJsonObject(event) && isJsonObject(event['requestContext'])
}

/** @throws {AccessDeniedError} */
function demandHttp(entry: Entry): Exclude<Entry, DirectEntry> {
  if (entry.kind !== 'direct') return entry
  throw new AccessDeniedError(
    `The alias ${aliasOf(entry.connection)} takes direct requests only, and the request is an event of an HTTP API. Send a direct request.`,
  )
}

/** @throws {AccessDeniedError} */
function demandDirect(entry: Entry): DirectEntry | UnqualifiedEntry {
  if (entry.kind === 'direct' || entry.kind === 'unqualified') return entry
  const alias = entry.kind === 'mutual_tls' ? mutualTlsAlias : liveAlias
  throw new AccessDeniedError(
    `The alias ${alias} takes only events of the HTTP API. Invoke the alias c-<connection> for a direct request.`,
  )
}

/**
 * The connection of a direct request. An alias serves its own connection alone, which the request may repeat.
 * @param named what the request names
 * @returns undefined if neither names a connection
 * @throws {AccessDeniedError} if the request names another connection than its alias
 */
export function connectionOf(entry: DirectEntry | UnqualifiedEntry, named: string | undefined): string | undefined {
  if (entry.kind === 'unqualified') return named
  const { connection } = entry
  if (named === undefined || named === connection) return connection
  throw new AccessDeniedError(
    `The alias ${aliasOf(connection)} serves the connection ${connection} alone. Leave connection out of the request, or send ${connection}.`,
  )
}
