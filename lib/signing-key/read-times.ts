import type { Times } from './key-set.ts'
import { KeyStoreError } from './key-store-error.ts'

/** The last second of the year 9999: what lies beyond was written in milliseconds. */
const latestSeconds = 253_402_300_799

/**
 * When a JWK signs: `signsFrom` and `signsUntil`, seconds since the epoch there, milliseconds here. None where it has none.
 * @throws {KeyStoreError} naming the member that is no such number
 */
export function readTimes(location: string, { signsFrom, signsUntil }: Readonly<Record<string, unknown>>): Times {
  if (signsFrom === undefined && signsUntil !== undefined)
    throw new KeyStoreError(location, 'holds a key with signsUntil and without signsFrom; it needs signsFrom, too.')
  return {
    ...(signsFrom !== undefined && { signsFrom: milliseconds(location, 'signsFrom', signsFrom) }),
    ...(signsUntil !== undefined && { signsUntil: milliseconds(location, 'signsUntil', signsUntil) }),
  }
}

function milliseconds(location: string, member: keyof Times, seconds: unknown): number {
  if (typeof seconds === 'number' && seconds >= 0 && seconds <= latestSeconds) return seconds * 1000
  throw new KeyStoreError(
    location,
    `holds a key whose ${member} is no number of seconds since the epoch, such as 1795539999.`,
  )
}
