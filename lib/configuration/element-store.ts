import type { ElementReference, Elements, Kind } from './element.ts'
import type { Finding } from './finding.ts'

/** Port: where elements are kept. What it hands out has been read through the schema. */
export interface ElementStore {
  /** One round trip: a reading for each reference, in that order; undefined where there is no such element. */
  get(references: readonly ElementReference[]): Promise<readonly (ElementReading | undefined)[]>
  /** The ids of all elements of a kind. May be slow; no token request needs it. */
  ids(kind: Kind): Promise<readonly string[]>
}

/** What the schema made of one element: its findings, and the element itself unless one of them is a mistake. */
export interface ElementReading<K extends Kind = Kind> {
  readonly reference: ElementReference<K>
  readonly element?: Elements[K]
  readonly findings: readonly Finding[]
}
