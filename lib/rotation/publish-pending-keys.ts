import { keysToPublish } from '../publication/keys-to-publish.ts'
import { nextPublication } from '../publication/next-publication.ts'
import type { Publications } from '../publication/publications.ts'
import { type KeyToPublish, keysOf, type Publication } from '../publication/published-keys.ts'
import { inFlightMilliseconds } from '../signing-key/in-flight.ts'
import { currentKey } from '../signing-key/key-set.ts'
import { misfit } from '../signing-key/misfit.ts'
import type { RotatedBuilder } from './rotated-builder.ts'
import { giveUp, type PendingKeys, type Rotation } from './rotation-under-way.ts'

export interface PublishPendingParts {
  readonly publications: Publications
  readonly now: () => number
  /** Milliseconds since the epoch. */
  readonly deadline: number
}

/**
 * Publishes the key that a rotation adds, beside those that are current.
 * @param stay `always` where its version is about to be current; else, unless that happens, it goes by itself after its time
 * @throws {RotationGivenUpError} where servers could not know it for `publishAheadSeconds` before it signs
 */
export async function publishPendingKeys(
  rotation: Rotation,
  pending: PendingKeys,
  stay: 'always' | 'for now',
  { publications, now, deadline }: PublishPendingParts,
): Promise<void> {
  const { builder } = rotation
  const { jwtBuilder, assertionSeconds } = builder
  // The first one takes nobody's place: servers are still to be told where it is published.
  const signsFrom = stay === 'always' && pending.before.length > 0 ? pending.next.signsFrom : undefined
  const publication = await publications.change(
    jwtBuilder,
    async (before) => {
      const keys = keysOfBoth(builder, pending, stay, now())
      return nextPublication(before, { keys, signsFrom, assertionSeconds }, now())
    },
    deadline,
  )
  if (!isAhead(builder, pending, publication, now()))
    await giveUp(rotation, 'has a next key that was published too late for servers to know it in time')
}

/** What the pending version says of keys that are there already holds from when it is current. */
function keysOfBoth(
  builder: RotatedBuilder,
  { before, next, isNew }: PendingKeys,
  stay: 'always' | 'for now',
  now: number,
): readonly KeyToPublish[] {
  const current = keysToPublish(builder, before, now)
  if (!isNew) return current
  const until = Math.max(now, next.signsFrom ?? 0) + inFlightMilliseconds(builder.assertionSeconds)
  const added = keysToPublish(builder, [next], now).map(({ jwk }) => ({ jwk, ...(stay === 'for now' && { until }) }))
  return [...added, ...current]
}

/** Signers take a new key from when its version is current and its time has come. Where none signs at all, any is better. */
function isAhead(
  { algorithm, generated }: RotatedBuilder,
  { before, next, isNew }: PendingKeys,
  publication: Publication | undefined,
  now: number,
): boolean {
  const fitting = before.filter(({ privateKey }) => !misfit(privateKey, algorithm))
  const published = keysOf(publication, now).find(({ jwk }) => jwk.kid === next.keyId)
  if (!published) return false
  if (!isNew || !currentKey(fitting, now)) return true
  return published.publishedAt + generated.publishAheadSeconds * 1000 <= Math.max(next.signsFrom ?? 0, now)
}
