import type { ElementGraph } from './collect-elements.ts'
import type { Note } from './finding.ts'
import type { Surroundings } from './surroundings.ts'

/** What stays the same while one connection is resolved. */
export interface Resolution {
  readonly graph: ElementGraph
  readonly surroundings: Surroundings
  readonly note: Note
}
