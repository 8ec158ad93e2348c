import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { droppedKinds, laterKinds } from '../configuration/attribute-not-here.ts'
import { ConfigurationError } from '../configuration/configuration-error.ts'
import { isElementId, type Kind, kinds } from '../configuration/element.ts'
import type { ElementStore } from '../configuration/element-store.ts'
import type { Finding } from '../configuration/finding.ts'
import { nearestName } from '../configuration/nearest-name.ts'
import { readElement } from './read-element.ts'
import { readStrictJson } from './strict-json.ts'

/** Values by id, by kind, unread. */
type RawElements = ReadonlyMap<Kind, ReadonlyMap<string, unknown>>

export interface FileElements extends ElementStore {
  /** What is wrong with the file or folder rather than with an element: unknown kinds, ids that can't be. */
  findings(): Promise<readonly Finding[]>
}

/**
 * Elements of a JSON file `{ kind: { id: element } }` or of a folder `<kind>/<id>.json`, read at the first use and kept.
 * @throws {ConfigurationError} from each call while the path can't be read or holds no JSON
 */
export function fileElements(path: string): FileElements {
  let loaded: Promise<{ elements: RawElements; findings: readonly Finding[] }> | undefined
  const load = () => {
    loaded ??= loadElements(path).catch((error) => {
      loaded = undefined
      throw error
    })
    return loaded
  }
  return {
    async get(references) {
      const { elements } = await load()
      return references.map((reference) => {
        const value = elements.get(reference.kind)?.get(reference.id)
        return value === undefined ? undefined : readElement(reference, value)
      })
    },
    async ids(kind) {
      return [...((await load()).elements.get(kind)?.keys() ?? [])]
    },
    async findings() {
      return (await load()).findings
    },
  }
}

async function loadElements(path: string): Promise<{ elements: RawElements; findings: Finding[] }> {
  const isFolder = (await attempt(path, () => stat(path))).isDirectory()
  const byKind = isFolder ? await readFolder(path) : readFileContent(path, await readJsonFile(path))
  const findings: Finding[] = []
  const elements = new Map<Kind, ReadonlyMap<string, unknown>>()
  for (const [name, byId] of Object.entries(byKind)) {
    if (name === '$schema') continue
    const kind = kinds.find((each) => each === name)
    if (!kind) findings.push(fileMistake(whyNoKind(name)))
    else if (!isObject(byId)) findings.push(fileMistake(`${kind} must be an object that gives each id its element.`))
    else elements.set(kind, readIds(kind, byId, findings))
  }
  return { elements, findings }
}

function readIds(kind: Kind, byId: Record<string, unknown>, findings: Finding[]): Map<string, unknown> {
  for (const id of Object.keys(byId)) {
    if (!isElementId(id))
      findings.push(fileMistake(`${kind}/${JSON.stringify(id)}: an id has letters, digits, _ . and -, at most 128.`))
    if (kind === 'sslDefault' && id !== 'default')
      findings.push(fileMistake(`sslDefault/${id}: there is one for all, and its id must be default.`))
  }
  return new Map(Object.entries(byId).filter(([id]) => isElementId(id)))
}

function whyNoKind(name: string): string {
  const bare = name.replace(/^zosconnect_/, '')
  if (Object.hasOwn(droppedKinds, bare)) return `${name}: ${droppedKinds[bare]}`
  if (laterKinds.includes(bare)) return `${bare}: not available yet; take it out until then.`
  const nearest = nearestName(bare, kinds)
  return `${name}: there is no such kind. ${nearest ? `Did you mean ${nearest}?` : `There are ${kinds.join(', ')}.`}`
}

async function readFolder(path: string): Promise<Record<string, unknown>> {
  const entries = await readdir(path, { withFileTypes: true })
  const folders = entries.filter((entry) => entry.isDirectory())
  const byKind = await Promise.all(
    folders.map(async ({ name: kind }) => {
      const files = (await readdir(join(path, kind))).filter((file) => file.endsWith('.json'))
      const elements = files.map(
        async (file) => [file.slice(0, -5), await readJsonFile(join(path, kind, file))] as const,
      )
      return [kind, Object.fromEntries(await Promise.all(elements))] as const
    }),
  )
  return Object.fromEntries(byKind)
}

async function readJsonFile(path: string): Promise<unknown> {
  const read = readStrictJson(await attempt(path, () => readFile(path, 'utf8')))
  if ('complaint' in read) throw new ConfigurationError([fileMistake(`${path} holds no JSON: ${read.complaint}.`)])
  return read.value
}

function readFileContent(path: string, value: unknown): Record<string, unknown> {
  if (isObject(value)) return value
  throw new ConfigurationError([fileMistake(`${path} must hold a JSON object of the form { kind: { id: element } }.`)])
}

async function attempt<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unknown reason'
    throw new ConfigurationError([
      fileMistake(`${path} can't be read (${reason}); it must be a JSON file or a folder.`),
    ])
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function fileMistake(sentence: string): Finding {
  return { severity: 'mistake', sentence }
}
