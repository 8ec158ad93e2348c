import { inFlightMilliseconds } from '../signing-key/in-flight.ts'
import { currentKey, isTimed, nextKey } from '../signing-key/key-set.ts'
import { misfit } from '../signing-key/misfit.ts'
import type { SigningKey } from '../signing-key/signing-key.ts'
import type { RotatedBuilder } from './rotated-builder.ts'
import { RotationRefusedError } from './rotation-refused-error.ts'

/*
 *   createSecret    setSecret                                        signsFrom
 *        |-- margin ----|----------- publishAheadSeconds -----------------|---- the new key signs
 */

const marginShare = 0.1
const marginSeconds = { least: 2, most: 600 } as const

/**
 * The next keys of a secret: a new one, that which signs until the new one does, and those of which an assertion may still be
 * out. Where none signs, because there never was one or it was taken out, the one that waits signs at once, or a new one.
 * @throws {RotationRefusedError} where one signs and another waits
 */
export function planKeys(
  { algorithm, assertionSeconds, generated, key: { location } }: RotatedBuilder,
  keys: readonly SigningKey[],
  now: number,
  createKey: () => SigningKey,
): readonly SigningKey[] {
  const kept = withTimes(keys).filter(
    ({ signsUntil = Infinity }) => now < signsUntil + inFlightMilliseconds(assertionSeconds),
  )
  const fitting = kept.filter(({ privateKey }) => !misfit(privateKey, algorithm))
  const waiting = nextKey(fitting, now)
  const current = currentKey(fitting, now)
  if (!current) {
    const [next, signsFrom] = [waiting ?? createKey(), startOfSecond(now)]
    const others = kept.filter((key) => key !== next)
    return [{ ...next, signsFrom }, ...others.map((key) => endedBy(key, signsFrom))]
  }

  if (waiting) throw new RotationRefusedError(describeWaiting(location, waiting, now))
  const signsFrom = firstSignature(generated.publishAheadSeconds, now)
  // It may have had an end, for a key that was taken out: it goes on until this one can take over.
  const others = kept.map((key) => (key === current ? { ...key, signsUntil: signsFrom } : endedBy(key, signsFrom)))
  return [{ ...createKey(), signsFrom }, ...others]
}

/** A key that was there before there were times has signed from the beginning. */
function withTimes(keys: readonly SigningKey[]): readonly SigningKey[] {
  return isTimed(keys) ? keys : keys.map((key) => ({ ...key, signsFrom: 0 }))
}

function endedBy(key: SigningKey, end: number): SigningKey {
  const { signsFrom = Infinity, signsUntil = Infinity } = key
  return signsFrom <= end && end < signsUntil ? { ...key, signsUntil: end } : key
}

/** A step that dies is repeated, and what it does is late then: by so much the new key is published too early. */
function firstSignature(publishAheadSeconds: number, now: number): number {
  const { least, most } = marginSeconds
  const margin = publishAheadSeconds === 0 ? 0 : Math.min(most, Math.max(least, publishAheadSeconds * marginShare))
  return startOfSecond(now + (publishAheadSeconds + margin) * 1000 + 999)
}

function startOfSecond(now: number): number {
  return Math.floor(now / 1000) * 1000
}

function describeWaiting(location: string, { keyId, signsFrom = 0 }: SigningKey, now: number): string {
  const minutes = Math.ceil((signsFrom - now) / 60_000)
  return `The secret ${location} has been rotated: its next key, ${keyId}, is published and signs in ${minutes} min. Ask again after that.`
}
