import type { ElementReference, Elements, Kind } from './element.ts'
import type { Finding } from './finding.ts'

/** Port: where elements are kept. What it hands out has been read through the schema. */
export interface ElementStore {
  /** One round trip: a reading for each reference, in that order; undefined where there is no such element. */
  get(references: readonly ElementReference[]): Promise<readonly (ElementReading | undefined)[]>
  /** The ids of all elements of a kind. May be slow; no token request needs it. */
  ids(kind: Kind): Promise<readonly string[]>
  /** What is wrong with the whole rather than with an element: unknown kinds, ids that can't be. */
  findings(): Promise<readonly Finding[]>
}

/** What the schema made of one element. */
export interface ElementReading<K extends Kind = Kind> {
  readonly reference: ElementReference<K>
  /** The attributes that are right, each by itself. */
  readonly attributes: Partial<Elements[K]>
  /** The same, where all that can't be left out are among them: what else is wrong can be looked for. */
  readonly element?: Elements[K]
  /** Mistakes in what was written. */
  readonly findings: readonly Finding[]
}
