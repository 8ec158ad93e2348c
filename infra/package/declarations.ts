import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const root = join(import.meta.dirname, '..', '..')
const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
const relativeImport = /(?<=\bfrom '|\bimport\(["'])(\.[^'"]*)\.ts(?=["'])/g

/** Writes the declarations that an entry needs, and no others. Returns the entry's own, relative to the folder. */
export function writeDeclarations(folder: string): string {
  const all = mkdtempSync(join(tmpdir(), 'tokenwell-declarations-'))
  try {
    execFileSync(process.execPath, [compiler, '-p', join(import.meta.dirname, 'tsconfig.json'), '--outDir', all], {
      stdio: ['ignore', 2, 2],
    })
    const entry = join('infra', 'package', 'index.d.ts')
    for (const path of reachable(all, entry)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      // Consumers may have a compiler that does not accept imports of `.ts` files.
      writeFileSync(join(folder, path), readFileSync(join(all, path), 'utf8').replaceAll(relativeImport, '$1.js'))
    }
    return entry
  } finally {
    rmSync(all, { recursive: true })
  }
}

function reachable(folder: string, entry: string): ReadonlySet<string> {
  const found = new Set([entry])
  // A set also visits what is added during the visit.
  for (const path of found)
    for (const [, imported = ''] of readFileSync(join(folder, path), 'utf8').matchAll(relativeImport))
      found.add(join(dirname(path), `${imported}.d.ts`))
  return found
}
