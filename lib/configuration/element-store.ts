import { batchesOf } from '../base/semaphore.ts'
import { operatorFindsReason, TokenwellError } from '../base/tokenwell-error.ts'
import type { ElementReference, Elements, Kind } from './element.ts'
import type { Finding } from './finding.ts'

/** Port: the place of the elements. It returns them read through the schema. */
export interface ElementStore {
  /** One round trip: a reading for each reference, in that order; undefined if there is no such element. */
  get(references: readonly ElementReference[]): Promise<readonly (ElementReading | undefined)[]>
  /** The ids of all elements of a kind. May be slow; no token request needs it. */
  ids(kind: Kind): Promise<readonly string[]>
  /** What is wrong with the place as a whole: unknown kinds, ids that are not allowed. */
  findings(): Promise<readonly Finding[]>
}

/** One element, read through the schema. */
export interface ElementReading<K extends Kind = Kind> {
  readonly reference: ElementReference<K>
  /** The attributes whose values are right. */
  readonly attributes: Partial<Elements[K]>
  /** The same attributes, if no required one is missing: then they can be checked against other elements. */
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

/** The store does not return elements; whether they are right is unknown. */
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
      ? "The configuration of this connection can't be read at the moment."
      : `The configuration of this connection has a mistake. ${operatorFindsReason}`
  }
}

/** Parameter Store is asked for ten in one call, and the calls of one read are made all at once. */
const elementsInOneRead = 100

/** Reads every element of a kind: for events, not for token requests. */
export async function* readAllElements<K extends Kind>(
  store: ElementStore,
  kind: K,
): AsyncGenerator<ElementReading<K>> {
  const references = (await store.ids(kind)).map((id) => ({ kind, id }))
  for (const some of batchesOf(references, elementsInOneRead))
    for (const reading of await store.get(some)) if (reading) yield reading as ElementReading<K>
}
