import { inFlightMilliseconds } from '../signing-key/in-flight.ts'
import { type KeyToPublish, type Publication, republish } from './published-keys.ts'

export interface Publishing {
  readonly keys: readonly KeyToPublish[]
  /** Of the key that comes next; where it signs already nothing waits. Milliseconds since the epoch. */
  readonly signsFrom?: number | undefined
  readonly assertionSeconds: number
}

/**
 * Undefined where there was nothing, and is nothing yet. A trial that is still to be made stays so: one too many does no harm.
 */
export function nextPublication(
  before: Publication | undefined,
  { keys, signsFrom, assertionSeconds }: Publishing,
  now: number,
): Publication | undefined {
  if (!before && keys.length === 0) return undefined
  const known = before?.kind === 'keys' ? before : undefined
  const moment = { now, inFlightMilliseconds: inFlightMilliseconds(assertionSeconds) }
  const tryAt = signsFrom !== undefined && signsFrom > now ? signsFrom : known?.tryAt
  return { kind: 'keys', keys: republish(known?.keys ?? [], keys, moment), ...(tryAt !== undefined && { tryAt }) }
}
