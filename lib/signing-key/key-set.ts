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
  const signing = keys.filter(({ signsFrom = Infinity, signsUntil = Infinity }) => signsFrom <= now && now < signsUntil)
  return byTime(signing).at(-1)
}

/** The one that will, and of several the first. */
export function nextKey<Key extends Times>(keys: readonly Key[], now: number): Key | undefined {
  return byTime(keys.filter(({ signsFrom = -Infinity }) => signsFrom > now)).at(0)
}

/** The one that did before the current one, and is kept for as long as what it has signed may be out. */
export function previousKey<Key extends Times>(keys: readonly Key[], now: number): Key | undefined {
  return byTime(keys.filter(({ signsUntil = Infinity }) => signsUntil <= now)).at(-1)
}

function byTime<Key extends Times>(keys: readonly Key[]): Key[] {
  return keys.toSorted((a, b) => (a.signsFrom ?? 0) - (b.signsFrom ?? 0))
}
