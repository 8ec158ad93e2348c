import { batchesOf } from '../base/semaphore.ts'
import { operatorFindsReason, TokenwellError } from '../base/tokenwell-error.ts'
import type { ElementReference, Elements, Kind } from './element.ts'
import type { Finding } from './finding.ts'

/** Port: the store of elements. It reads them through the schema. */
export interface ElementStore {
  /** Reads elements in one round trip. Returns a reading for each reference, in order, or undefined for a missing element. */
  get(references: readonly ElementReference[]): Promise<readonly (ElementReading | undefined)[]>
  /** The ids of all elements of a kind. May be slow, as no token request needs it. */
  ids(kind: Kind): Promise<readonly string[]>
  /** Findings on the store as a whole: unknown kinds, and ids that are not allowed. */
  findings(): Promise<readonly Finding[]>
}

/** One element after it was read through the schema. */
export interface ElementReading<K extends Kind = Kind> {
  readonly reference: ElementReference<K>
  /** The attributes whose values are valid. */
  readonly attributes: Partial<Elements[K]>
  /** The same attributes, if no required one is missing. Only then can they be checked against other elements. */
  readonly element?: Elements[K]
  /** Mistakes in the element itself. */
  readonly findings: readonly Finding[]
}

export type ElementStoreErrorCode =
  /** Tokenwell has no right to read them. */
  | 'elements_denied'
  /** The store asked to wait longer than the request had time. */
  | 'elements_throttled'
  /** The store did not answer. */
  | 'elements_unreachable'

/** The store did not return elements. Whether they are valid is unknown. */
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
      ? 'The configuration of this connection cannot be read at the moment.'
      : `The configuration of this connection has a mistake. ${operatorFindsReason}`
  }
}

/** Parameter Store returns ten elements in one call, and all calls of one read are made in parallel. */
const elementsInOneRead = 100

/** Reads every element of a kind. For events, not for token requests. */
export async function* readAllElements<K extends Kind>(
  store: ElementStore,
  kind: K,
): AsyncGenerator<ElementReading<K>> {
  const references = (await store.ids(kind)).map((id) => ({ kind, id }))
  for (const some of batchesOf(references, elementsInOneRead))
    for (const reading of await store.get(some)) if (reading) yield reading as ElementReading<K>
}

/** The same store. Reads that begin at the same moment become one round trip. */
export function mergeReads(store: ElementStore): ElementStore {
  let waiting: ElementReference[] = []
  let reading: ReturnType<ElementStore['get']> | undefined

  async function readWaiting(): ReturnType<ElementStore['get']> {
    // All reads that begin until then are part of it.
    await Promise.resolve()
    const references = waiting
    waiting = []
    reading = undefined
    return await store.get(references)
  }

  return {
    async get(references) {
      const from = waiting.length
      waiting.push(...references)
      reading ??= readWaiting()
      return (await reading).slice(from, from + references.length)
    },
    ids: (kind) => store.ids(kind),
    findings: () => store.findings(),
  }
}
