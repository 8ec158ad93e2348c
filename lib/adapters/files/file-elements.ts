import type { Dirent } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isJsonObject } from '../../base/decoding.ts'
import { createLazy } from '../../base/single-flight.ts'
import { type Kind, kinds } from '../../configuration/element.ts'
import type { ElementStore } from '../../configuration/element-store.ts'
import { ConfigurationError, type Finding } from '../../configuration/finding.ts'
import { checkIds, readElement, unreadableElement, whyNoKind } from '../../configuration/read-element.ts'
import { isElementId } from '../../configuration/value-syntax.ts'
import { type ReadJson, readStrictJson, readStrictJsonFile } from '../json/strict-json.ts'

/** The JSON values by kind and id, not yet read as elements. A file of a folder may contain no valid JSON. */
type RawElements = ReadonlyMap<Kind, ReadonlyMap<string, ReadJson>>

/** Files are read at most once in this time, so that following references does not read them again and again. */
export const maximumAgeMilliseconds = 1_000

/**
 * Elements of a JSON file `{ kind: { id: element } }` or of a folder with files `<kind>/<id>.json`. They are at most one second old.
 * @throws {ConfigurationError} from each call while the path cannot be read or contains no valid JSON
 */
export function fileElements(path: string): ElementStore {
  let loaded: ReturnType<typeof loadElements> | undefined
  let loadedAt = -Infinity
  return elementsFrom({
    load() {
      if (!loaded || performance.now() >= loadedAt + maximumAgeMilliseconds) {
        loadedAt = performance.now()
        loaded = loadElements(path).catch((error) => {
          loaded = undefined
          throw error
        })
      }
      return loaded
    },
  })
}

/**
 * Elements of a JSON text `{ kind: { id: element } }`.
 * @throws {ConfigurationError} from each call if the text is not of that form
 */
export function textElements(text: string): ElementStore {
  const name = 'The text'
  const findings: Finding[] = []
  const loading = createLazy(async () => readGroups(groupsOf(readStrictJson(text), name, findings), name, findings))
  return elementsFrom({
    load() {
      return loading.get()
    },
  })
}

/** Where the JSON of the elements comes from. */
interface ElementsSource {
  load(): Promise<LoadedElements>
}

function elementsFrom(source: ElementsSource): ElementStore {
  return {
    async get(references) {
      const { elements } = await source.load()
      return references.map((reference) => {
        const read = elements.get(reference.kind)?.get(reference.id)
        if (!read) return undefined
        if ('complaint' in read)
          return unreadableElement(reference, `Its file does not contain valid JSON: ${read.complaint}.`)
        return readElement(reference, read.value)
      })
    },
    async ids(kind) {
      return [...((await source.load()).elements.get(kind)?.keys() ?? [])]
    },
    async findings() {
      return (await source.load()).findings
    },
  }
}

interface LoadedElements {
  readonly elements: RawElements
  readonly findings: readonly Finding[]
}

async function loadElements(path: string): Promise<LoadedElements> {
  const findings: Finding[] = []
  const isFolder = (await attempt(path, () => stat(path))).isDirectory()
  const groups = isFolder ? await readFolder(path, findings) : groupsOf(await readJsonFile(path), path, findings)
  return readGroups(groups, path, findings)
}

function readGroups(groups: readonly Group[], path: string, findings: Finding[]): LoadedElements {
  const elements = new Map<Kind, ReadonlyMap<string, ReadJson>>()
  for (const [name, byId] of groups) {
    const kind = kinds.find((each) => each === name)
    if (!kind) {
      findings.push(fileMistake(whyNoKind(name)))
      continue
    }
    findings.push(...checkIds(kind, byId.keys()))
    elements.set(kind, new Map([...byId].filter(([id]) => isElementId(id))))
  }
  if (elements.size === 0 && findings.length === 0)
    findings.push(fileMistake(`${path} contains no elements. Add at least one.`))
  return { elements, findings }
}

/** The name of a kind, and its elements by id. */
type Group = readonly [kind: string, byId: ReadonlyMap<string, ReadJson>]

/** The groups of a single file or text. */
function groupsOf(read: ReadJson, path: string, findings: Finding[]): Group[] {
  if ('complaint' in read)
    throw new ConfigurationError([fileMistake(`${path} does not contain valid JSON: ${read.complaint}.`)])
  if (!isJsonObject(read.value))
    throw new ConfigurationError([
      fileMistake(`${path} must contain a JSON object of the form { kind: { id: element } }.`),
    ])

  const { $schema: _editors, ...groups } = read.value
  return Object.entries(groups).flatMap(([kind, byId]): Group[] => {
    if (isJsonObject(byId)) return [[kind, new Map(Object.entries(byId).map(([id, value]) => [id, { value }]))]]
    findings.push(fileMistake(`${kind} must be an object with one member for each element: { id: element }.`))
    return []
  })
}

async function readFolder(path: string, findings: Finding[]): Promise<Group[]> {
  const folders = await listFolder(path, (entry) => entry.isDirectory(), findings, 'a folder named after a kind')
  return Promise.all(
    folders.map(async (kind): Promise<Group> => {
      const files = await listFolder(
        join(path, kind),
        (entry) => entry.isFile() && entry.name.endsWith('.json'),
        findings,
        'a file <id>.json',
      )
      const read = files.map(async (file) => [file.slice(0, -5), await readJsonFile(join(path, kind, file))] as const)
      return [kind, new Map(await Promise.all(read))]
    }),
  )
}

/** The expected names in a folder. Every other name gets a warning, except names that begin with a dot. */
async function listFolder(
  path: string,
  isExpected: (entry: Dirent) => boolean,
  findings: Finding[],
  expected: string,
): Promise<string[]> {
  const entries = (await readdir(path, { withFileTypes: true })).filter(({ name }) => !name.startsWith('.'))
  for (const entry of entries)
    if (!isExpected(entry))
      findings.push({
        severity: 'warning',
        sentence: `${join(path, entry.name)} is ignored because it is not ${expected}.`,
      })
  return entries.filter(isExpected).map(({ name }) => name)
}

async function readJsonFile(path: string): Promise<ReadJson> {
  return readStrictJsonFile(await attempt(path, () => readFile(path)))
}

async function attempt<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unknown reason'
    throw new ConfigurationError([
      fileMistake(`${path} cannot be read (${reason}). It must be a JSON file or a folder.`),
    ])
  }
}

function fileMistake(sentence: string): Finding {
  return { severity: 'mistake', sentence }
}
