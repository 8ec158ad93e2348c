import type { JwtBuilder } from './element.ts'

const defaultExpiresInSeconds = 120

/** From the making of an assertion to its `exp`. */
export function assertionSeconds({
  expiresInSeconds,
  expiry,
}: Pick<JwtBuilder, 'expiresInSeconds' | 'expiry'>): number {
  const milliseconds = expiresInSeconds ?? expiry
  return milliseconds === undefined ? defaultExpiresInSeconds : milliseconds / 1000
}
