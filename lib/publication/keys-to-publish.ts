import type { BuilderKey } from '../configuration/resolve-builder-key.ts'
import { inFlightMilliseconds } from '../signing-key/in-flight.ts'
import { currentKey } from '../signing-key/key-set.ts'
import { misfit } from '../signing-key/misfit.ts'
import { publicHalf } from '../signing-key/public-jwk.ts'
import type { SigningKey } from '../signing-key/signing-key.ts'
import type { KeyToPublish } from './published-keys.ts'

/** Of one version of a secret, the keys that a server may meet: those that fit the algorithm and, where one is named, have that alias. */
export function keysToPublish(
  { algorithm, key: { alias }, assertionSeconds }: BuilderKey,
  keys: readonly SigningKey[],
  now: number,
): readonly KeyToPublish[] {
  const signing = currentKey(keys, now)
  return keys
    .filter(({ keyId, privateKey }) => (alias === undefined || keyId === alias) && !misfit(privateKey, algorithm))
    .flatMap((key): KeyToPublish[] => {
      const jwk = publicHalf(key, algorithm, now)
      if (!jwk) return []
      if (key === signing || key.signsUntil === undefined) return [{ jwk }]
      return [{ jwk, until: key.signsUntil + inFlightMilliseconds(assertionSeconds) }]
    })
}
