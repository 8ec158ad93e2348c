import type { SigningKey } from './signing-key.ts'

/** The times of a key that Tokenwell rotates: the clock decides which one signs, not the label of its secret's version. */
export type Times = Pick<SigningKey, 'signsFrom' | 'signsUntil'>

/*
 *      published        signsFrom                    signsUntil       the last assertion is out
 *          |---- next -----|---------- current ----------|---- previous ----|
 */

/** Whether the clock decides at all: a secret that an operator brings has no times. */
export function isTimed(keys: readonly Times[]): boolean {
  return keys.some(({ signsFrom }) => signsFrom !== undefined)
}

/** The one that signs now: the last whose time has come. */
export function currentKey<Key extends Times>(keys: readonly Key[], now: number): Key | undefined {
  return lastFrom(
    keys.filter(({ signsFrom = Infinity, signsUntil = Infinity }) => signsFrom <= now && now < signsUntil),
  )
}

/** The one that will. */
export function nextKey<Key extends Times>(keys: readonly Key[], now: number): Key | undefined {
  return lastFrom(keys.filter(({ signsFrom = -Infinity }) => signsFrom > now))
}

/** The one that did before the current one, and is kept for as long as what it has signed may be out. */
export function previousKey<Key extends Times>(keys: readonly Key[], now: number): Key | undefined {
  return lastFrom(keys.filter(({ signsUntil = Infinity }) => signsUntil <= now))
}

function lastFrom<Key extends Times>(keys: readonly Key[]): Key | undefined {
  return keys.toSorted((a, b) => (b.signsFrom ?? 0) - (a.signsFrom ?? 0))[0]
}
