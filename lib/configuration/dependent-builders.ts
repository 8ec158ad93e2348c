import type { ElementReference } from './element.ts'
import type { ElementStore } from './element-store.ts'
import { readAllElements } from './read-all-elements.ts'
import { standIns } from './stand-ins.ts'
import { type Surroundings, secretPrefix } from './surroundings.ts'

/**
 * The jwtBuilders whose keys may stand in that secret: the one for which Tokenwell makes them there, and those whose key store it
 * is. One too many does no harm. Reads all elements of two kinds: for events, not for token requests.
 * @throws {ElementStoreError}
 */
export async function buildersOfSecret(
  elements: ElementStore,
  surroundings: Pick<Surroundings, 'stage'>,
  secretName: string,
): Promise<readonly string[]> {
  const generatedPrefix = `${secretPrefix(surroundings)}jwk/`
  const builders = new Set(secretName.startsWith(generatedPrefix) ? [secretName.slice(generatedPrefix.length)] : [])
  const keyStores = new Set<string>()
  for await (const { reference, attributes } of readAllElements(elements, 'keyStore'))
    if (attributes.location === secretName) keyStores.add(reference.id)
  if (keyStores.size > 0) for (const builder of await buildersOfKeyStores(elements, keyStores)) builders.add(builder)
  return [...builders]
}

/**
 * The jwtBuilders whose published keys may be others after a change of this element, which may be gone by now.
 * @throws {ElementStoreError}
 */
export async function buildersOfElement(
  elements: ElementStore,
  { kind, id }: ElementReference,
): Promise<readonly string[]> {
  if (kind === 'jwtBuilder') return [id]
  return kind === 'keyStore' ? buildersOfKeyStores(elements, new Set([id])) : []
}

async function buildersOfKeyStores(elements: ElementStore, keyStores: ReadonlySet<string>): Promise<string[]> {
  const builders: string[] = []
  for await (const { reference, attributes } of readAllElements(elements, 'jwtBuilder'))
    if (keyStores.has(attributes.keyStoreRef ?? standIns.keyStore)) builders.push(reference.id)
  return builders
}
