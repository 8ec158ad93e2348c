import { droppedKinds } from '../configuration/attribute-not-here.ts'
import { isElementId, type Kind, kinds } from '../configuration/element.ts'
import type { Finding } from '../configuration/finding.ts'
import { nearestName } from '../configuration/nearest-name.ts'

/** What is wrong with the ids of a kind, wherever they stand. */
export function checkIds(kind: Kind, ids: Iterable<string>): Finding[] {
  const sentences: string[] = []
  for (const id of ids) {
    if (!isElementId(id))
      sentences.push(`${kind}/${JSON.stringify(id)}: an id has letters, digits, _ . and -, at most 128.`)
    if (kind === 'sslDefault' && id !== 'default')
      sentences.push(`sslDefault/${id}: there is one for all, and its id must be default.`)
  }
  return sentences.map((sentence) => ({ severity: 'mistake', sentence }))
}

/** What to do about a name that is no kind's. */
export function whyNoKind(name: string): string {
  const bare = name.replace(/^zosconnect_/, '')
  if (Object.hasOwn(droppedKinds, bare)) return `${name}: ${droppedKinds[bare]}`
  const nearest = nearestName(bare, kinds)
  return `${name}: there is no such kind. ${nearest ? `Did you mean ${nearest}?` : `There are ${kinds.join(', ')}.`}`
}
