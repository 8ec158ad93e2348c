import { batchesOf } from '../base/semaphore.ts'
import { operatorFindsReason, TokenwellError } from '../base/tokenwell-error.ts'
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

export type ElementStoreErrorCode =
  /** No right to read them. */
  | 'elements_denied'
  /** The store asks to wait, for longer than there was time. */
  | 'elements_throttled'
  /** No answer from the store. */
  | 'elements_unreachable'

/** Elements can't be had, whatever stands in them. */
export class ElementStoreError extends TokenwellError {
  readonly code: ElementStoreErrorCode

  constructor(code: ElementStoreErrorCode, message: string) {
    super(message)
    this.code = code
  }

  override get isPassing(): boolean {
    return this.code === 'elements_throttled' || this.code === 'elements_unreachable'
  }

  override get publicMessage(): string {
    return this.isPassing
      ? "What this connection is configured with can't be read at the moment."
      : `This connection is not configured right. ${operatorFindsReason}`
  }
}

/** Parameter Store is asked for ten in one call, and the calls of one read are made all at once. */
const elementsInOneRead = 100

/** Every element of a kind: for events, not for token requests. */
export async function* readAllElements<K extends Kind>(
  store: ElementStore,
  kind: K,
): AsyncGenerator<ElementReading<K>> {
  const references = (await store.ids(kind)).map((id) => ({ kind, id }))
  for (const some of batchesOf(references, elementsInOneRead))
    for (const reading of await store.get(some)) if (reading) yield reading as ElementReading<K>
}
