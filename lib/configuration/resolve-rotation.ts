import type { GeneratedKey } from './connection.ts'
import type { ElementReference, JwtBuilder } from './element.ts'
import type { Resolution } from './resolution.ts'

const defaultRotationMilliseconds = 30 * 86_400_000
const defaultPublishAheadSeconds = 86_400
/** Our JWK set's `max-age`, and the minute for which an instance goes by what it has read. A secret is kept for less. */
const ownCacheSeconds = 360
/** Servers keep JWK sets for as long as they like: many for an hour or more. */
const usualCacheSeconds = 3_600

/** How often Tokenwell makes a new key, and how long that is published before it signs. What can't work is noted. */
export function resolveRotation(
  { note }: Resolution,
  element: ElementReference,
  builder: JwtBuilder,
): Omit<GeneratedKey, 'modulusLength'> {
  const rotationSeconds = (builder.jwkRotationTime ?? defaultRotationMilliseconds) / 1000
  const publishAheadSeconds = builder.publishAheadSeconds ?? defaultPublishAheadSeconds

  if (publishAheadSeconds <= ownCacheSeconds)
    note(
      'warning',
      element,
      'publishAheadSeconds',
      `a JWK set that was read may be ${ownCacheSeconds} s old by our own leave, and a key that signs sooner is unknown to whoever has one: make it longer than that and than the server's own cache.`,
    )
  else if (publishAheadSeconds < usualCacheSeconds)
    note(
      'warning',
      element,
      'publishAheadSeconds',
      'authorization servers cache JWK sets, many for an hour or more, and refuse a key that they have not read yet: make it longer than the cache of the server.',
    )
  if (publishAheadSeconds >= rotationSeconds)
    note(
      'mistake',
      element,
      builder.publishAheadSeconds === undefined ? 'jwkRotationTime' : 'publishAheadSeconds',
      `a key would still wait when the one after it is due: it is published ${publishAheadSeconds} s before it signs (publishAheadSeconds), and one is made every ${rotationSeconds} s (jwkRotationTime).`,
    )
  return { rotationSeconds, publishAheadSeconds }
}
