import type { ElementStore } from '../configuration/element-store.ts'
import { loadedOnce } from './loaded-once.ts'

/** Where elements are kept. */
export type ElementsPlace =
  | { readonly kind: 'parameter_store' }
  /** A JSON file or a folder. */
  | { readonly kind: 'files'; readonly path: string }

export function openElements(place: ElementsPlace, stage: string): ElementStore {
  const open = loadedOnce(() => load(place, stage))
  return {
    get: async (references) => (await open()).get(references),
    ids: async (kind) => (await open()).ids(kind),
    findings: async () => (await open()).findings(),
  }
}

async function load(place: ElementsPlace, stage: string): Promise<ElementStore> {
  switch (place.kind) {
    case 'parameter_store':
      return (await import('./parameter-store-elements.ts')).parameterStoreElements({ stage })
    case 'files':
      return (await import('./file-elements.ts')).fileElements(place.path)
  }
}
