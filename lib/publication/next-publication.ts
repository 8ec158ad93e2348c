import { inFlightMilliseconds } from '../signing-key/in-flight.ts'
import { type KeyToPublish, type Publication, republish } from './published-keys.ts'

/** Undefined where there was nothing, and is nothing yet. */
export function nextPublication(
  before: Publication | undefined,
  keys: readonly KeyToPublish[],
  now: number,
  assertionSeconds: number,
): Publication | undefined {
  if (!before && keys.length === 0) return undefined
  const moment = { now, inFlightMilliseconds: inFlightMilliseconds(assertionSeconds) }
  return { kind: 'keys', keys: republish(before?.kind === 'keys' ? before.keys : [], keys, moment) }
}
