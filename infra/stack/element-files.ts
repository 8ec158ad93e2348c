import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { decodeUtf8 } from '../../lib/base/decoding.ts'

/** The size of an advanced parameter. */
const mostBytes = 8192

/**
 * The elements of a file or folder as written, by `<kind>/<id>`. They must have no mistake.
 * @param path a folder with files `<kind>/<id>.json`, or a file `{ kind: { id: element } }`
 */
export function readElements(path: string): readonly (readonly [name: string, element: unknown])[] {
  if (!statSync(path).isDirectory()) {
    const { $schema: _editors, ...kinds } = readJson(path) as Record<string, object>
    return Object.entries(kinds).flatMap(([kind, byId]) =>
      Object.entries(byId).map(([id, element]) => [`${kind}/${id}`, element] as const),
    )
  }
  const folders = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory() && !isHidden(entry))
  return folders.flatMap(({ name: kind }) => {
    const files = readdirSync(join(path, kind), { withFileTypes: true }).filter((entry) => !isHidden(entry))
    const names = files.filter((entry) => entry.isFile() && entry.name.endsWith('.json')).map(({ name }) => name)
    return names.map((name) => [`${kind}/${name.slice(0, -5)}`, readJson(join(path, kind, name))] as const)
  })
}

function readJson(path: string): unknown {
  return JSON.parse(decodeUtf8(readFileSync(path)) ?? '')
}

function isHidden({ name }: { readonly name: string }): boolean {
  return name.startsWith('.')
}

/** Why a parameter cannot hold the element. Undefined if it can. */
export function whyTooLong(name: string, element: unknown): string | undefined {
  const bytes = Buffer.byteLength(JSON.stringify(element))
  return bytes > mostBytes
    ? `The element ${name} has ${bytes} bytes, but a parameter can hold at most ${mostBytes}. Make the element shorter.`
    : undefined
}
