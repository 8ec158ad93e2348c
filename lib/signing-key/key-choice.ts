import type { KeyReference } from '../configuration/connection.ts'
import { currentKey, isTimed, nextKey, previousKey } from './key-set.ts'
import { KeyStoreError } from './key-store-error.ts'
import type { SigningKey } from './signing-key.ts'

/** Which of a secret's keys signs. */
export interface KeyChoice {
  /** Whether the clock decides: the keys have times. Else it is always the same. */
  readonly isTimed: boolean
  /** @throws {KeyStoreError} when none does at that time */
  current(now: number): SigningKey
  /** By the clock; undefined where none has signed before. */
  previous(now: number): SigningKey | undefined
}

/** @throws {KeyStoreError} when no key has the alias that is named, or several do of which none has a time */
export function createKeyChoice({ location, alias }: KeyReference, keys: readonly SigningKey[]): KeyChoice {
  const candidates = alias === undefined ? keys : keys.filter(({ keyId }) => keyId === alias)
  const [only, ...others] = candidates
  if (!only)
    throw new KeyStoreError(location, `holds no key ${JSON.stringify(alias)}; keyAlias can be: ${aliasesOf(keys)}.`)
  if (isTimed(candidates))
    return {
      isTimed: true,
      current: (now) => currentKey(candidates, now) ?? complainOfNone(location, candidates, now),
      previous: (now) => previousKey(candidates, now),
    }
  if (others.length > 0)
    throw new KeyStoreError(location, `holds several keys; say which one signs by keyAlias: ${aliasesOf(keys)}.`)
  return { isTimed: false, current: () => only, previous: () => undefined }
}

function complainOfNone(location: string, keys: readonly SigningKey[], now: number): never {
  const [next, last] = [nextKey(keys, now), previousKey(keys, now)]
  const ended = last ? `; the last one, ${last.keyId}, ended at ${textOf(last.signsUntil)}` : ''
  const toDo = next
    ? `; the next one, ${next.keyId}, will from ${textOf(next.signsFrom)}: wait for it or make its signsFrom earlier, and see that the clock is right.`
    : ': rotate the secret, which makes a new one.'
  const untimed = keys.filter(({ signsFrom }) => signsFrom === undefined)
  const passedOver =
    untimed.length > 0 ? ` Beside keys with signsFrom those without never sign: ${aliasesOf(untimed)}.` : ''
  throw new KeyStoreError(location, `holds no key that signs now${ended}${toDo}${passedOver}`)
}

function textOf(milliseconds = 0): string {
  return new Date(milliseconds).toISOString()
}

function aliasesOf(keys: readonly SigningKey[]): string {
  return keys.map(({ keyId }) => keyId).join(', ')
}
