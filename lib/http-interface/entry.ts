import { AccessDeniedError } from '../admission/access-denied.ts'
import type { EarlierRecords } from '../fleet/authentic-records.ts'

/**
 * How an invocation came in. The alias that was invoked decides it, because IAM decides who may invoke an alias. An event never
 * decides it, because a principal that may invoke a function can send any event.
 */
export type Entry = LiveEntry | MutualTlsEntry | DirectEntry | UnqualifiedEntry

/** The alias `_live`: the HTTP API, whose authorizer has identified the caller. */
interface LiveEntry {
  readonly kind: 'http'
}

/** The alias `_mtls`: the HTTP API for client certificates. Only behind this alias does a certificate in an event count. */
interface MutualTlsEntry {
  readonly kind: 'mutual_tls'
}

/** The alias `c-<connection>`: direct requests for that connection alone. */
export interface DirectEntry {
  readonly kind: 'direct'
  readonly connection: string
}

/** No alias, as in version 0.1. It is accepted only while a deployment is upgraded from that version. */
export interface UnqualifiedEntry {
  readonly kind: 'unqualified'
}

export interface EntrySettings {
  /** A deployment that still reads the records of 0.1 is being upgraded from it. */
  readonly earlierRecords: EarlierRecords
}

export const liveAlias = '_live'
export const mutualTlsAlias = '_mtls'

/** The alias for direct requests of a connection. */
export function aliasOf(connection: string): string {
  return `c-${connection}`
}

/** A function's ARN, and its qualifier if it has one: an alias, a version or `$LATEST`. */
const functionArn = /^arn:[a-z-]+:lambda:[a-z\d-]+:\d{12}:function:[\w-]{1,64}(?::(?<qualifier>[\w$-]{1,128}))?$/
const connectionAlias = /^c-(?<connection>[\w-]{1,126})$/

/**
 * The entry of an invocation.
 * @param invokedFunctionArn of Lambda's context. It ends with the qualifier that was invoked
 * @throws {AccessDeniedError} for an ARN without an alias of Tokenwell
 */
export function entryOf(invokedFunctionArn: unknown, { earlierRecords }: EntrySettings): Entry {
  const arn = typeof invokedFunctionArn === 'string' ? functionArn.exec(invokedFunctionArn)?.groups : undefined
  if (!arn) throw withoutAlias()
  const { qualifier } = arn
  if (qualifier === undefined && earlierRecords === '0.1') return { kind: 'unqualified' }
  if (qualifier === liveAlias) return { kind: 'http' }
  if (qualifier === mutualTlsAlias) return { kind: 'mutual_tls' }
  const connection = connectionAlias.exec(qualifier ?? '')?.groups?.['connection']
  if (connection === undefined) throw withoutAlias()
  return { kind: 'direct', connection }
}

function withoutAlias(): AccessDeniedError {
  return new AccessDeniedError(
    `The function was not invoked by an alias of Tokenwell. Invoke the alias c-<connection> for a direct request. The HTTP API invokes ${liveAlias}.`,
  )
}
