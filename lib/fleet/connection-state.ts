import type { Warming } from '../configuration/connection.ts'
import { isFingerprintOf } from '../configuration/connection-cache.ts'
import { disabledFingerprint } from '../configuration/fingerprint.ts'
import type { KeptWarm } from './kept-warm.ts'

/** The elements that count in the fleet, and those that are staged. */
export interface ConnectionState extends KeptWarm {
  /**
   * The number of the elements that its tokens were issued for. A token of another generation is never handed out. The number rises with
   * each change of the fingerprint, and is never used again, even where the record was lost.
   */
  readonly generation: number
  /** The fingerprint of everything in the elements that can change the token. */
  readonly fingerprint: string
  /** Changed elements and their future generation: tokens are obtained for them before they become active. */
  readonly staged?: StagedGeneration
  /** When an operator last cleared the connection. Milliseconds since the epoch. */
  readonly clearedAt?: number
  /** The generation with which the record began. Absent from records of version 0.1. */
  readonly firstGeneration?: number
}

export interface StagedGeneration {
  readonly generation: number
  readonly fingerprint: string
}

/** The elements of a connection as they are now. */
export interface ElementsRevision {
  readonly fingerprint: string
  /** Fingerprints of the same elements in the forms of other versions. */
  readonly otherFingerprints?: readonly string[]
  readonly warming?: Warming
}

/** The state of a connection that no longer exists. */
export const noElements: ElementsRevision = { fingerprint: 'gone' }

/** The state of a connection that its operator has disabled: it has no tokens, and none is kept warm. */
export const disabledElements: ElementsRevision = { fingerprint: disabledFingerprint }

/** Makes elements the active ones: in a new generation where their fingerprint is new, or in the staged one where they were staged. */
export function activated(
  before: ConnectionState | undefined,
  elements: ElementsRevision,
  now: number,
): ConnectionState {
  const { fingerprint, warming } = elements
  const { variants = [], staged, clearedAt, firstGeneration } = before ?? { firstGeneration: now }
  const common = {
    ...{ fingerprint, variants },
    ...(warming && { warming }),
    ...(clearedAt !== undefined && { clearedAt }),
    ...(firstGeneration !== undefined && { firstGeneration }),
  }
  if (before && isFingerprintOf(elements, before.fingerprint))
    return { ...common, generation: before.generation, ...(staged && { staged }) }
  const wasStaged = staged && isFingerprintOf(elements, staged.fingerprint)
  return { ...common, generation: wasStaged ? staged.generation : newGeneration(before, now) }
}

/** When the connection was last changed or cleared, in milliseconds since the epoch. Undefined in its first generation. */
export function mendedAt({ generation, firstGeneration }: ConnectionState): number | undefined {
  return generation === firstGeneration ? undefined : generation
}

/** Stages elements, so that tokens can be obtained for them in advance. To stage the active elements ends an earlier staging. */
export function withStaged<State extends ConnectionState>(
  before: State,
  elements: ElementsRevision,
  now: number,
): State {
  if (isFingerprintOf(elements, (before.staged ?? before).fingerprint)) return before
  return { ...before, staged: { fingerprint: elements.fingerprint, generation: newGeneration(before, now) } }
}

/** Makes all tokens of the connection invalid, including the staged ones. */
export function cleared(before: ConnectionState, now: number): ConnectionState {
  const { staged: _staged, ...kept } = before
  return { ...kept, generation: newGeneration(before, now), clearedAt: now }
}

/** A whole number that was never used before, not even for staged elements that never became active. */
function newGeneration(before: ConnectionState | undefined, now: number): number {
  return Math.max((before?.generation ?? 0) + 1, (before?.staged?.generation ?? 0) + 1, Math.ceil(now))
}
