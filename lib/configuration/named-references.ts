import { type ElementReference, type Kind, references } from './element.ts'
import type { ElementReading } from './element-store.ts'

/** An attribute of an element, and which other element it names: whether that is there or not. */
export interface NamedReference {
  readonly attribute: string
  readonly to: ElementReference
}

/** What an element names, as far as its attributes can be read; not what stands in where it names nothing. */
export function namedReferences({ reference: { kind }, attributes }: ElementReading): NamedReference[] {
  return Object.entries<Kind>(references[kind]).flatMap(([attribute, to]) => {
    const id = (attributes as Readonly<Record<string, string | undefined>>)[attribute]
    return id === undefined ? [] : [{ attribute, to: { kind: to, id } }]
  })
}
