import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

/** The tarball of a package that was built in `folder`. */
export function packFolder(
  folder: string,
  destination: string,
): { readonly path: string; readonly unpackedBytes: number } {
  const words = ['pack', '--json', '--ignore-scripts', '--pack-destination', destination]
  const output = execFileSync('npm', words, { cwd: folder, encoding: 'utf8', shell: process.platform === 'win32' })
  const [{ filename, unpackedSize }] = JSON.parse(output) as [{ filename: string; unpackedSize: number }]
  return { path: join(destination, filename), unpackedBytes: unpackedSize }
}
