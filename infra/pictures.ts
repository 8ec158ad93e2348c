import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { D2 } from '@terrastruct/d2'

/** The SVG of a picture is beside its source, under the same name. */
export function pictureSources(root: string): string[] {
  return globSync('{lib,infra}/**/*.d2', { cwd: root }).sort()
}

export function svgPathOf(source: string): string {
  return source.replace(/\.d2$/, '.svg')
}

/** Drawing takes long, so the SVG names the source that it was drawn from. */
export function originOf(root: string, source: string): string {
  const digest = createHash('sha256')
    .update(readFileSync(join(root, source)))
    .digest('hex')
  return `<!-- drawn by npm run pictures from a source with SHA-256 ${digest} -->`
}

/** Draws in the colours of the reader's theme, light or dark. */
export async function drawPicture(root: string, source: string): Promise<string> {
  const d2 = new D2()
  const { diagram, renderOptions } = await d2.compile(readFileSync(join(root, source), 'utf8'), {
    options: { layout: 'dagre' },
  })
  const settings = { themeID: 0, darkThemeID: 200, pad: 20, noXMLTag: true, salt: source }
  const svg = await d2.render(diagram, { ...renderOptions, ...settings })
  return `${svg.trimEnd()}\n${originOf(root, source)}\n`
}
