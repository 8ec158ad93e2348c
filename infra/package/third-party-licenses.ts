import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Metafile } from 'esbuild'

const root = join(import.meta.dirname, '..', '..')
const packageFolder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/
const line = `\n${'-'.repeat(80)}\n\n`

/** The licenses of all packages whose code is in these bundles, as their licenses demand. Each text occurs once. */
export function thirdPartyLicenses(bundles: readonly Metafile[]): string {
  const inputs = bundles.flatMap(({ outputs }) =>
    Object.values(outputs).flatMap((output) => Object.keys(output.inputs)),
  )
  const folders = [...new Set(inputs.flatMap((input) => packageFolder.exec(input) ?? []))].sort()
  const byText = Map.groupBy(folders, (folder) => licenseText(join(root, folder)))
  return [...byText].map(([text, of]) => `${[...new Set(of.map(nameOf))].join('\n')}\n\n${text}\n`).join(line)
}

function licenseText(folder: string): string {
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice)/i.test(file))
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').replaceAll('\r', '').trim())
  return texts.join('\n\n') || 'The package contains no text of its license.'
}

function nameOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
  return `${name} ${version} (${license})`
}
