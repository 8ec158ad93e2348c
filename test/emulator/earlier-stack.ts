import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import type { RawElements } from '../support/elements/elements.ts'
import { root } from '../support/process/local-run.ts'

/** `version-0.1/README.md` says how its files were made. */
const earlierVersion = join(root, 'test', 'emulator', 'version-0.1')
const itsIssuer = 'https://issuer.invalid'

/** The elements of the stack of 0.1, with this issuer. */
export function earlierElements(issuer: string): RawElements {
  return JSON.parse(withIssuer(readFileSync(join(earlierVersion, 'elements.json'), 'utf8'), issuer))
}

/** Writes the stack of 0.1 to a new folder, as its own synthesis did. Its resources include a parameter for each element. */
export async function writeEarlierStack(folder: string, issuer: string): Promise<void> {
  const input = zstdDecompressSync(await readFile(join(earlierVersion, 'stack.tar.zst')))
  mkdirSync(folder)
  const { status, stderr } = spawnSync('tar', ['x', '-C', folder], { input, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  const template = templateOf(folder)
  await writeFile(template, withIssuer(await readFile(template, 'utf8'), issuer))
}

export interface TemplateResource {
  readonly Type: string
  readonly Properties?: Readonly<Record<string, unknown>>
  readonly DeletionPolicy?: string
}

/** The resources of a synthesized stage, by logical id. */
export type TemplateResources = ReadonlyMap<string, TemplateResource>

export async function readTemplateResources(folder: string): Promise<TemplateResources> {
  const { Resources }: { Resources: Record<string, TemplateResource> } = JSON.parse(
    await readFile(templateOf(folder), 'utf8'),
  )
  return new Map(Object.entries(Resources))
}

function templateOf(folder: string): string {
  return join(folder, 'Tokenwell-prod.template.json')
}

function withIssuer(text: string, issuer: string): string {
  return text.replaceAll(itsIssuer, issuer)
}
