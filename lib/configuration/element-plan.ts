import { batchesOf, forEachAtMost } from '../base/semaphore.ts'
import { type Kind, kinds, referenceAttributes } from './element.ts'

/** The JSON text of each element, by its name `<kind>/<id>`. */
export type ElementTexts = ReadonlyMap<string, string>

/** The elements of `{ kind: { id: element } }` as the texts that are stored. */
export function elementTexts(elements: Readonly<Record<string, object>>): ElementTexts {
  const texts = Object.entries(elements).flatMap(([kind, byId]) =>
    Object.entries(byId).map(([id, element]) => [`${kind}/${id}`, JSON.stringify(element)] as const),
  )
  return new Map(texts)
}

/** Port: the elements of a stage as texts, to write them. */
export interface ElementWriter {
  /** @throws {ElementStoreError} */
  readAll(): Promise<ElementTexts>
  /**
   * Creates the element, or overwrites it.
   * @throws {ElementStoreError}
   */
  put(name: string, text: string): Promise<void>
  /**
   * Deletes elements. A missing one is no error.
   * @throws {ElementStoreError}
   */
  remove(names: readonly string[]): Promise<void>
}

/**
 * What must be written so that a stage has the wanted elements. It is made anew after an interruption, and then names only what is
 * left.
 */
export interface ElementPlan {
  readonly created: readonly string[]
  readonly changed: readonly string[]
  readonly deleted: readonly string[]
  /** The number of elements that stay as they are. */
  readonly unchanged: number
  /** The texts to write, in groups. A group comes after all elements that it refers to. */
  readonly puts: readonly (readonly (readonly [name: string, text: string])[])[]
  /** The names to delete, in groups. A group comes after all elements that refer to it. */
  readonly removals: readonly (readonly string[])[]
}

/**
 * @param former names that an earlier version of the elements had. Those that are wanted no more are deleted. Other elements that
 *   the stage may have are left alone.
 */
export function planElements(wanted: ElementTexts, present: ElementTexts, former: Iterable<string> = []): ElementPlan {
  const differing = [...wanted].filter(([name, text]) => present.get(name) !== text)
  const deleted = [...new Set(former)].filter((name) => !wanted.has(name) && present.has(name))
  const names = differing.map(([name]) => name)
  return {
    created: names.filter((name) => !present.has(name)),
    changed: names.filter((name) => present.has(name)),
    deleted,
    unchanged: wanted.size - differing.length,
    puts: byDepth(differing, ([name]) => name),
    removals: byDepth(deleted, (name) => name).reverse(),
  }
}

/** Few, because Parameter Store takes 3 puts a second by default. More would only wait. */
const putsAtATime = 3
/** After so many the time is looked at again. */
const putsInOneStep = 30
/** The maximum of DeleteParameters. */
const removalsInOneStep = 10

/**
 * Writes a plan: first all texts, then the deletions. So at any moment each element refers only to elements that exist, and a new
 * connection appears after everything that it refers to.
 * @returns whether everything is written. Otherwise the time was over between two steps.
 * @throws {ElementStoreError} for the first element that cannot be written
 */
export async function applyPlan(
  { puts, removals }: ElementPlan,
  writer: ElementWriter,
  isTimeLeft: () => boolean,
): Promise<boolean> {
  for (const step of puts.flatMap((group) => batchesOf(group, putsInOneStep))) {
    if (!isTimeLeft()) return false
    await forEachAtMost(putsAtATime, step, ([name, text]) => writer.put(name, text))
  }
  for (const step of removals.flatMap((group) => batchesOf(group, removalsInOneStep))) {
    if (!isTimeLeft()) return false
    await writer.remove(step)
  }
  return true
}

/** In groups: an element of a group can only refer to elements of earlier groups. */
function byDepth<T>(all: readonly T[], nameOf: (each: T) => string): T[][] {
  const groups: T[][] = []
  for (const each of all) {
    const kind = kinds.find((known) => nameOf(each).startsWith(`${known}/`))
    const depth = kind ? depthOf(kind) : 0
    groups[depth] = [...(groups[depth] ?? []), each]
  }
  return groups.filter((group) => group !== undefined)
}

function depthOf(kind: Kind): number {
  const below = Object.values<Kind | readonly Kind[]>(referenceAttributes[kind]).flat().map(depthOf)
  return below.length === 0 ? 0 : 1 + Math.max(...below)
}
