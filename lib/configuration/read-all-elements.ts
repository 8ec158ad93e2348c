import { batchesOf } from '../batch/batches-of.ts'
import type { Kind } from './element.ts'
import type { ElementReading, ElementStore } from './element-store.ts'

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
